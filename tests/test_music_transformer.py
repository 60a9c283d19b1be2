import numpy as np
import pytest
import tensorflow as tf

from keras_genai import (
    MusicTokenizer,
    MusicTransformer,
    SampleScores,
    TensorBoard,
    TrainingDoctor,
    music_dataset,
    read_midi,
)
from keras_genai.data.music import HOLD, REST, Score
from keras_genai.layers.positions import relative_scores
from keras_genai.models.autoregressive.score_rules import event_ids

pytestmark = pytest.mark.slow

TOKENIZER = MusicTokenizer(lowest=[60, 48], highest=[72, 60])


def small(tokenizer=TOKENIZER, max_sequence_length=24, seed=0, **arguments):
    model = MusicTransformer(
        tokenizer,
        max_sequence_length,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        seed=seed,
        **arguments,
    )
    model.compiled_loop = False  # XLA takes seconds: the contract is with it
    return model


def song(steps=24, seed=0):
    generator = np.random.default_rng(seed)
    events = np.stack(
        [
            generator.integers(60, 73, steps),
            generator.integers(48, 61, steps),
        ],
        axis=1,
    )
    events[generator.random(events.shape) < 0.6] = HOLD
    events[generator.random(events.shape) < 0.1] = REST
    return Score(events)


# --- Relative attention ------------------------------------------------------


@pytest.mark.parametrize("position", [0, 1, 5])
def test_skewed_rows_are_products_with_the_vector_of_the_distance(position):
    generator = np.random.default_rng(0)
    query = generator.normal(size=(2, 3, 4, 5)).astype("float32")
    distances = generator.normal(size=(3, 9, 5)).astype("float32")
    made = np.array(relative_scores(query, distances, position))
    assert made.shape == (2, 3, 4, 9)
    for i in range(4):
        for j in range(position + i + 1):
            expected = np.einsum(
                "bhd,hd->bh", query[:, :, i], distances[:, position + i - j]
            )
            np.testing.assert_allclose(made[:, :, i, j], expected, atol=1e-5)


def test_nothing_of_queries_by_keys_by_width_is_made():
    """Memory linear in the length, for a head: (length, length), no third."""
    length, width = 64, 32

    @tf.function
    def scores(query, distances):
        return relative_scores(query, distances)

    graph = scores.get_concrete_function(
        tf.TensorSpec((1, 1, length, width)), tf.TensorSpec((1, length, width))
    ).graph
    largest = max(
        np.prod(output.shape)
        for operation in graph.get_operations()
        for output in operation.outputs
        if output.shape.rank is not None and output.shape.is_fully_defined()
    )
    assert largest <= length * (length + 2)


def test_no_token_is_influenced_by_what_comes_later():
    model = small()
    vectors = tf.random.stateless_normal((1, 12, 8), (0, 0))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(vectors)
        x = vectors
        for block in model.blocks:
            x, _ = block(x)
        logits = model.logits(x)
        # All logits at once: by chance no sum of them is blind to one.
        weights = tf.random.stateless_normal(logits.shape, (1, 0))
        sums = tf.reduce_sum(weights * logits, axis=2)[0]  # (places,)
    jacobian = tape.jacobian(sums, vectors, experimental_use_pfor=False)
    influence = np.abs(jacobian.numpy()[:, 0]).max(axis=2)
    assert np.triu(influence, 1).max() == 0.0
    assert (influence[np.tril_indices(12)] > 0).all()


def test_token_by_token_is_what_the_whole_row_says():
    model = small()
    token_ids = model._prompt_ids(song())[None, :20]
    whole = model(token_ids).numpy()
    state = model.initial_state(1)
    for place in range(20):
        logits, state = model.extend(
            tf.constant(token_ids[:, place : place + 1]), state, place
        )
        allowed = logits[0, 0].numpy() > -1e8
        assert allowed.any()
        np.testing.assert_allclose(
            logits[0, 0].numpy()[allowed], whole[0, place][allowed], atol=1e-4
        )
        if place < 19:  # what a score goes on with is allowed
            assert allowed[token_ids[0, place + 1]]


# --- Composing ---------------------------------------------------------------


def test_every_composition_is_a_score():
    for score in small().generate(8, num_steps=40, seed=0):
        assert 1 <= len(score) <= 40
        assert score.num_voices == 2
        decoded = TOKENIZER.decode(TOKENIZER.encode(score))
        assert decoded == score


def test_the_first_scores_do_not_depend_on_how_many_there_are():
    model = small()
    many = model.generate(4, num_steps=12, seed=3)
    assert model.generate(2, num_steps=12, seed=3) == many[:2]
    assert many[0] != many[1]


def test_a_prompt_is_gone_on_from():
    prompt = song(12)
    for score in small().generate(3, num_steps=40, prompt=prompt, seed=0):
        assert len(score) > 12
        np.testing.assert_array_equal(score.events[:12], prompt.events)


@pytest.mark.parametrize("voice", [0, 1])
def test_a_melody_stays_note_by_note(voice):
    melody = song(30).voice(voice)
    for score in small().harmonize(melody, 3, voice=voice, seed=0):
        assert len(score) == 30
        assert score.voice(voice) == melody
        other = score.events[:, 1 - voice]
        assert (other >= 0).any()


def test_a_melody_longer_than_attention_reaches_goes_through_by_windows():
    melody = song(200, seed=1).voice(0)
    model = small(max_sequence_length=16)
    assert len(TOKENIZER.encode(song(200, seed=1))) > 10 * 16
    [score] = model.harmonize(melody, seed=0)
    assert score.voice(0) == melody


def test_a_melody_is_gone_on_from():
    melody = song(16).voice(0)
    scores = small().harmonize(melody, 4, num_steps=48, seed=0)
    assert max(map(len, scores)) > 16
    for score in scores:
        np.testing.assert_array_equal(score.events[:16, 0], melody.events[:, 0])


def test_temperature_zero_composes_the_likeliest():
    model = small()
    first, second = (
        model.generate(2, num_steps=20, temperature=0.0, seed=seed)
        for seed in (0, 1)
    )
    assert first == second


def test_training_learns_a_canon():
    """The lower voice repeats what the upper one did, one beat later."""
    generator = np.random.default_rng(0)
    pieces = []
    for _ in range(24):
        tune = np.repeat(generator.integers(60, 65, 10), 2)
        events = np.full((20, 2), HOLD)
        events[::2, 0] = tune[::2]
        events[2::2, 1] = tune[:-2:2] - 12
        pieces.append(Score(events))
    data = music_dataset(
        pieces,
        "train+validation+test",
        sequence_length=32,
        batch_size=8,
        windows="tiled",
    )
    model = MusicTransformer(
        data.tokenizer, 32, num_layers=2, hidden_dim=32, seed=0
    )
    model.compile()
    history = model.fit(data, epochs=60, verbose=0).history["nats_per_step"]
    # A draw of five a beat: log(5) / 2 nats a step, and what the end costs.
    assert history[-1] < 0.5 * history[0]
    assert history[-1] < 1.35 * np.log(5) / 2


def test_score_is_what_evaluate_says():
    pieces = [song(20, seed) for seed in range(4)]
    data = music_dataset(
        pieces,
        "train+validation+test",
        TOKENIZER,
        sequence_length=64,
        windows="tiled",
    )
    model = small(max_sequence_length=64)
    model.compile()
    costs = model.score(pieces)
    together = np.average(costs, weights=list(map(len, pieces)))
    results = model.evaluate(data, verbose=0)
    assert results["nats_per_step"] == pytest.approx(together, rel=1e-4)
    assert model.score(pieces[1]) == pytest.approx(costs[1], rel=1e-4)


def test_one_encoder_for_training_and_generation():
    """Mistake 19: what is generated from is what was trained on."""
    piece = song(20)
    data = music_dataset(
        [piece], tokenizer=TOKENIZER, sequence_length=64, windows="tiled"
    )
    token_ids, targets = next(iter(data))
    count = int((targets >= 0).numpy().sum())
    model = small(max_sequence_length=64)
    trained_on = token_ids[0, :count].numpy()
    np.testing.assert_array_equal(trained_on, model._prompt_ids(piece))
    wanted = TOKENIZER.events_to_ids(piece.events)
    in_graph = event_ids(TOKENIZER, piece.events[None].astype("int32"))[0]
    np.testing.assert_array_equal(in_graph, wanted)
    assert set(wanted.reshape(-1)) <= set(trained_on)


def test_callbacks_of_all_families_take_it(tmp_path):
    data = music_dataset(
        [song(20)], tokenizer=TOKENIZER, sequence_length=24, windows="tiled"
    )
    model = small()
    model.compile()
    doctor = TrainingDoctor(verbose=0)
    model.fit(
        data,
        epochs=2,
        verbose=0,
        callbacks=[
            doctor,
            TensorBoard(tmp_path / "logs"),
            SampleScores(tmp_path / "samples", num_steps=8),
        ],
    )
    assert not doctor.alarms
    names = {path.name for path in (tmp_path / "samples").iterdir()}
    assert names == {
        f"epoch_00{epoch}.{kind}" for epoch in (1, 2) for kind in ("mid", "png")
    }


def test_attention_maps_of_a_score():
    maps = small().attention_maps(song(6))
    np.testing.assert_allclose(maps.sum(axis=-1), 1.0, atol=1e-5)


# --- Export ------------------------------------------------------------------


def test_exported_midi_is_the_score(tmp_path):
    model = small()
    model.export(tmp_path / "served")
    served = tf.saved_model.load(tmp_path / "served").signatures
    arguments = {
        "num_samples": tf.constant(2),
        "num_steps": tf.constant(16),
        "temperature": tf.constant(1.0),
        "top_k": tf.constant(0),
        "top_p": tf.constant(1.0),
        "seed": tf.constant(0),
    }
    token_ids = served["generate"](**arguments)["token_ids"].numpy()
    midi = served["generate_midi"](**arguments)["midi_bytes"].numpy()
    for row, data in zip(token_ids, midi, strict=True):
        path = tmp_path / "score.mid"
        path.write_bytes(data)
        heard = read_midi(path, num_voices=2).onsets()
        written = TOKENIZER.decode(row).onsets()
        # Silence at the end is no part of a MIDI file.
        np.testing.assert_array_equal(heard, written[: len(heard)])


def test_exported_completion_keeps_what_is_given(tmp_path):
    model = small()
    melody = song(20).voice(0)
    events = np.full((2, 20, 2), -3, "int32")
    events[:, :, 0] = melody.events[:, 0]
    complete = model._compiled_function("complete")
    answer = complete(
        *map(tf.constant, (events, 1.0, 0, 1.0, 0)),
    )
    for row in answer["token_ids"].numpy():
        assert TOKENIZER.decode(row).voice(0) == melody
    with pytest.raises(tf.errors.InvalidArgumentError, match="pitches"):
        complete(*map(tf.constant, (events * 0 + 10, 1.0, 0, 1.0, 0)))


# --- Bad input ---------------------------------------------------------------


def test_a_melody_outside_the_range_is_refused():
    high = Score([[60], [90]])
    with pytest.raises(ValueError, match=r"90"):
        small().harmonize(high)
    with pytest.raises(ValueError, match=r"90"):
        small().generate(prompt=Score([[60, 48], [90, 48]]))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"voice": 2}, r"\[0, 2\)"),
        ({"num_steps": 3}, "melody's end"),
        ({"num_samples": -1}, "num_samples"),
        ({"temperature": -1.0}, "temperature"),
    ],
)
def test_bad_arguments_of_harmonize_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        small().harmonize(song(8).voice(0), **arguments)


def test_a_melody_of_two_voices_is_refused():
    with pytest.raises(ValueError, match="one voice"):
        small().harmonize(song())


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"num_steps": 0}, "num_steps"),
        ({"num_steps": 8, "prompt": song(8)}, "prompt's steps"),
        ({"prompt": song(8).voice(0)}, "voice"),
        ({"top_k": -1}, "top_k"),
    ],
)
def test_bad_arguments_of_generate_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        small().generate(1, **arguments)


def test_no_tokenizer_is_refused():
    with pytest.raises(ValueError, match="MusicTokenizer"):
        MusicTransformer(vocabulary_size=10)
