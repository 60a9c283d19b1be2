"""The contract that every model keeps, checked in one place."""

import json

import fresh
import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_genai

WHOLE_NUMBER = 2  # of samples, a seed or a label: what any model is asked


def generate_images(model, count, seed):
    return model.generate(count, seed=seed)


def generate_text(model, count, seed):
    return np.array(model.generate(["the "] * count, 20, seed=seed))


def generate_scores(model, count, seed):
    scores = model.generate(count, num_steps=12, seed=seed)
    # One shape, whenever a score ends.
    rows = np.full((count, 12, model.tokenizer.num_voices), -1)
    for row, score in zip(rows, scores, strict=True):
        row[: len(score)] = score.events
    return rows


def check_contract(make_model, make_data, tmp_path, generate=generate_images):
    """Takes a model through all that DESIGN promises of each.

    Args:
        make_model: Function without arguments; models of the same seed.
        make_data: Function without arguments; a small `tf.data.Dataset` whose
            last batch is short.
        tmp_path: Folder to write to.
        generate: Function of the model, a count and a seed, or `None`; array
            of so many samples.
    """
    model = check_seeded(make_model, make_data)
    # As graphs, of several steps, which is what users have.
    model.compile(steps_per_execution=8)
    history = model.fit(
        make_data(), validation_data=make_data(), epochs=5, verbose=0
    ).history
    names = {name for name in history if not name.startswith("val_")}
    assert names == {metric.name for metric in model.metrics}
    assert {f"val_{name}" for name in names} | names == set(history)
    assert all(np.isfinite(values).all() for values in history.values())

    results = model.evaluate(make_data().repeat(5), verbose=0)
    assert set(results) == names

    check_generate(model, generate)
    check_saving(model, make_data, tmp_path, generate)
    served = check_export(model, tmp_path / "served")
    if generate is generate_images:  # a language model's own test does this
        check_served_images(model, served)
    check_config(model)


def check_generate(model, generate):
    first, again = (generate(model, 5, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first != generate(model, 5, seed=4)).any()
    assert (generate(model, 2, None) != generate(model, 2, None)).any()
    assert len(generate(model, 0, seed=0)) == 0


def check_seeded(make_model, make_data):
    """Two models of one seed are one model; returns one, trained a little."""
    keras.utils.set_random_seed(1)
    one = make_model()
    keras.utils.set_random_seed(2)  # the package's seed is its own
    other = make_model()
    for model in (one, other):
        model.compile()
        model.fit(make_data(), epochs=1, verbose=0)
    assert_same_weights(one, other, tolerance=1e-5)
    return one


def check_saving(model, make_data, tmp_path, generate):
    """The loaded model goes on as the saved one does."""
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras_genai.load_model(path)
    assert type(loaded) is type(model)
    for config in ("get_config", "get_compile_config"):
        saved, restored = getattr(model, config)(), getattr(loaded, config)()
        assert json.dumps(restored) == json.dumps(saved)  # tuples are lists
    assert_same_weights(model, loaded)
    for optimizer, twin in zip(
        optimizers(model), optimizers(loaded), strict=True
    ):
        assert_same_variables(optimizer, twin)
    made = generate(model, 3, None)
    np.testing.assert_array_equal(made, generate(loaded, 3, None))
    for each in (model, loaded):
        each.fit(make_data(), epochs=1, verbose=0)
    assert_same_weights(model, loaded, tolerance=1e-5)
    results = [
        each.evaluate(make_data(), verbose=0) for each in (model, loaded)
    ]
    assert results[0] == pytest.approx(results[1], rel=1e-4)


def check_export(model, path):
    """Every signature answers as the model does, in a process without us.

    Returns what is served by default to the `example_input`s.
    """
    model.export(path)
    signatures = model.signatures()
    inputs = {
        f"{name}/{spec.name}": example_input(spec)
        for name, (_, specs) in signatures.items()
        for spec in specs
    }
    given, answers = path.with_suffix(".in.npz"), path.with_suffix(".out.npz")
    np.savez(given, **inputs)
    script = f"""
import sys
assert "keras_genai" not in sys.modules
sys.modules["keras_genai"] = None  # importing it is an error
import numpy as np, tensorflow as tf
served = tf.saved_model.load({str(path)!r}).signatures
inputs, answers = np.load({str(given)!r}), {{}}
for name in {list(signatures)}:
    arguments = {{
        key.split("/")[1]: tf.constant(inputs[key])
        for key in inputs if key.split("/")[0] == name
    }}
    for key, value in served[name](**arguments).items():
        answers[f"{{name}}/{{key}}"] = value.numpy()
    if name == {next(iter(signatures))!r}:
        for key, value in served["serving_default"](**arguments).items():
            answers[f"serving_default/{{key}}"] = value.numpy()
np.savez({str(answers)!r}, **answers)
"""
    process = fresh.run(script, timeout=120)
    assert process.returncode == 0, process.stderr
    with np.load(answers, allow_pickle=True) as file:
        answers = dict(file)
    first, by_default = next(iter(signatures)), {}
    for name, (function, specs) in signatures.items():
        expected = function(
            *(tf.constant(inputs[f"{name}/{spec.name}"]) for spec in specs)
        )
        for key, value in expected.items():
            assert_equal_or_close(answers.pop(f"{name}/{key}"), value.numpy())
            if name == first:
                answer = answers.pop(f"serving_default/{key}")
                assert_equal_or_close(answer, value.numpy())
                by_default[key] = answer
    assert not answers
    return by_default


def check_served_images(model, served):
    images = served["images"]
    expected = model.generate(WHOLE_NUMBER, seed=WHOLE_NUMBER)
    assert images.dtype == np.float32 and expected.dtype == np.float32
    np.testing.assert_allclose(images, expected, atol=1e-5)


def assert_equal_or_close(answer, expected):
    assert answer.dtype == expected.dtype
    if answer.dtype == object:  # bytes
        assert answer.tolist() == expected.tolist()
    else:
        # Another process may add up in another order.
        np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)


def example_input(spec):
    """Three examples where the batch is open; numbers that any model takes."""
    shape = [3 if side is None else side for side in spec.shape]
    if spec.dtype == tf.string:
        return np.array([b"the cat", b"a", b"on the mat"])
    if spec.dtype == tf.bool:
        return np.random.default_rng(1).random(shape) < 0.5
    if spec.name == "events":
        return np.full(shape, -3, "int32")  # all of them free
    if spec.dtype.is_integer:
        return np.full(shape, WHOLE_NUMBER, "int32")
    return np.random.default_rng(0).random(shape, "float32")


def check_config(model):
    """A model made from a config has the same architecture."""
    other = type(model).from_config(model.get_config())
    shapes = [tuple(weight.shape) for weight in model.weights]
    assert [tuple(weight.shape) for weight in other.weights] == shapes


def optimizers(model):
    names = ("optimizer", "d_optimizer", "g_optimizer")
    found = [getattr(model, name, None) for name in names]
    return [optimizer for optimizer in found if optimizer is not None]


def assert_same_weights(one, other, tolerance=0.0):
    assert len(one.weights) == len(other.weights)
    for weight, twin in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(
            weight.numpy(), twin.numpy(), atol=tolerance, err_msg=weight.path
        )


def assert_same_variables(one, other):
    assert len(one.variables) == len(other.variables) > 1
    for variable, twin in zip(one.variables, other.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), twin.numpy())


def random_images(
    count=10,
    image_shape=(8, 12, 1),
    batch_size=4,
    seed=0,
    low=-1.0,
    num_classes=None,
    binary=False,
):
    """Noise as images in [low, 1], in batches the last of which is short.

    With labels, in pairs, where there are classes; of zeros and ones alone if
    that is asked for.
    """
    data = tf.random.stateless_uniform(
        (count, *image_shape), (seed, 0), low, 1.0
    )
    if binary:
        data = tf.round(data)
    if num_classes is not None:
        data = (data, tf.range(count) % num_classes)
    return tf.data.Dataset.from_tensor_slices(data).batch(batch_size)
