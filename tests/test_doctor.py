import math

import keras
import numpy as np
import pytest

from keras_genai import CharacterTokenizer, MarkovChain, TrainingDoctor
from keras_genai.callbacks.doctor import MEANINGS
from keras_genai.modalities.text.training import repeated_share

RANDOM = np.random.default_rng(0)
REAL = RANDOM.random((64, 8, 8, 1))


class Patient:
    """A stand-in for a model: samples as told, and what doctors ask for."""

    image_shape = (8, 8, 1)
    latent_dim = 16
    stop_training = False

    def __init__(self, samples=None):
        self.samples = REAL if samples is None else samples

    def generate(self, num_samples, seed):
        return self.samples[:num_samples]


def run(epochs, samples=None, **arguments):
    """The alarms of a doctor who is shown the logs of epochs."""
    doctor = TrainingDoctor(
        verbose=False, **{"patience": 3, "warm_up_steps": 0, **arguments}
    )
    doctor.set_model(Patient(samples))
    for epoch, logs in enumerate(epochs):
        doctor.on_epoch_end(epoch, logs)
    return [(alarm.name, alarm.epoch) for alarm in doctor.alarms]


def test_numbers_that_are_not_finite_end_the_training():
    doctor = TrainingDoctor(verbose=False)
    doctor.set_model(Patient())
    doctor.on_train_batch_end(0, {"d_loss": 1.0})
    assert not doctor.model.stop_training
    doctor.on_train_batch_end(8, {"d_loss": math.nan})
    assert doctor.model.stop_training
    assert [alarm.name for alarm in doctor.alarms] == ["not_finite"]


def losses(*values):
    return [{"loss": value} for value in values]


@pytest.mark.parametrize(
    ("epochs", "alarms"),
    [
        (losses(3.0, 2.0, 1.0, 1.4), []),  # noise
        (losses(3.0, 2.0, 1.0, 2.9), []),  # still better than at first
        (losses(3.0, 2.0, 3.1), [("divergence", 3)]),
        (losses(3.0, 4.0), []),  # not half as much again
        (losses(3.0, 4.6, 9.0), [("divergence", 2)]),  # said once
        (losses(-1.0, -3.0, -0.5), [("divergence", 3)]),
    ],
)
def test_divergence(epochs, alarms):
    assert run(epochs) == alarms


@pytest.mark.parametrize(("gap", "alarm"), [(15.9, False), (16.1, True)])
def test_no_critic_of_slope_one_gives_more_than_the_diameter(gap, alarm):
    # Black and white images of 64 pixels in [-1, 1] are 2 * 8 apart.
    found = run([{"wasserstein_distance": gap}])
    assert found == [("unbounded_critic", 1)] * alarm


def verdicts(*pairs):
    return [{"d_real_accuracy": a, "d_fake_accuracy": b} for a, b in pairs]


def test_a_discriminator_is_saturated_when_it_stays_right():
    right, unsure = (0.995, 0.999), (0.995, 0.9)
    assert run(verdicts(right, right, unsure, right, right)) == []
    found = run(verdicts(unsure, right, right, right))
    assert found == [("saturated_discriminator", 4)]
    assert run(verdicts(right), patience=1) != []


@pytest.mark.parametrize(("active", "alarm"), [(1, True), (2, False)])
def test_posterior_collapse_is_fewer_than_an_eighth(active, alarm):
    # Of 16 latents; early epochs do not count.
    epochs = [{"active_units": active}] * 3
    assert run(epochs) == [("posterior_collapse", 3)] * alarm
    assert run(epochs[:2]) == []


def test_samples_that_are_alike_are_a_collapse():
    alike = REAL[:1] + 0.1 * (REAL - REAL[:1])
    assert run([{}] * 3, reference=REAL) == []
    found = run([{}] * 3, samples=alike, reference=REAL)
    assert found == [("mode_collapse", 3)]
    assert run([{}] * 3, samples=alike) == []  # nothing to compare with
    as_bytes = np.round(REAL * 255).astype("uint8")
    assert run([{}] * 3, reference=as_bytes) == []
    found = run([{}] * 6, samples=alike, reference=REAL, period=2)
    assert found == [("mode_collapse", 6)]


def test_a_generator_is_not_judged_before_it_has_learned_something():
    alike = REAL[:1] + 0.1 * (REAL - REAL[:1])
    for was_varied, alarms in (
        (False, [("mode_collapse", 7)]),  # the 50 steps are over in epoch 5
        (True, [("mode_collapse", 4)]),
    ):
        doctor = TrainingDoctor(
            REAL, patience=3, warm_up_steps=50, verbose=False
        )
        for epoch in range(9):
            samples = REAL if was_varied and epoch == 0 else alike
            doctor.set_model(Patient(samples))
            doctor.on_train_batch_end(9, {})
            doctor.on_epoch_end(epoch, {})
        assert [(a.name, a.epoch) for a in doctor.alarms] == alarms


def short_run(epochs, samples=None, steps=4, **arguments):
    """Name and text of the alarms of a doctor who sees a run to its end."""
    doctor = TrainingDoctor(REAL, verbose=False, **arguments)
    doctor.set_model(Patient(samples))
    for epoch, logs in enumerate(epochs):
        doctor.on_train_batch_end(steps - 1, {})
        doctor.on_epoch_end(epoch, logs)
    assert doctor.alarms == []
    doctor.on_train_end()
    return {alarm.name: alarm.seen for alarm in doctor.alarms}


def test_a_short_run_is_judged_at_its_end():
    alike = REAL[:1] + 0.01 * (REAL - REAL[:1])
    right, unsure = (1.0, 1.0), (0.9, 0.5)
    seen = short_run(verdicts(unsure, right, right), alike)
    assert set(seen) == {"saturated_discriminator", "mode_collapse"}
    for text in seen.values():
        assert "after 12 steps only: train longer first" in text
    # What is over by then, and what is well, is not spoken of.
    assert short_run(verdicts(right, right, unsure)) == {}
    assert set(short_run([{"active_units": 1}])) == {"posterior_collapse"}
    # Samples are looked at there, whatever the period.
    seen = short_run(verdicts(unsure), alike, period=10)
    assert set(seen) == {"mode_collapse"}


def test_the_end_of_a_long_run_is_an_epoch_like_others():
    alike = REAL[:1] + 0.01 * (REAL - REAL[:1])
    epochs = verdicts(*[(0.9, 0.5)] * 4, (1.0, 1.0))
    assert short_run(epochs, steps=200) == {}
    # Of many epochs that are no thousand steps together: the samples alone.
    assert set(short_run(epochs, alike, steps=10)) == {"mode_collapse"}


class Brightness:
    """Ten classes, by how bright an image is; features as far apart."""

    num_classes = 10

    def classify(self, images):
        return np.minimum((10 * images.mean(axis=(1, 2, 3))).astype(int), 9)

    def features(self, images):
        return 10 * np.eye(len(images))


def test_few_classes_are_a_collapse():
    levels = np.arange(60) % 10 / 10 + 0.05
    every = np.broadcast_to(levels[:, None, None, None], (60, 8, 8, 1))
    some = every[np.isin(np.arange(60) % 10, (0, 1, 2, 3))]
    arguments = {"reference": every, "extractor": Brightness()}
    assert run([{}] * 3, samples=every, **arguments) == []
    half = every[np.arange(60) % 10 < 5]
    assert run([{}] * 3, samples=half, **arguments) == []
    found = run([{}] * 3, samples=some, **arguments)
    assert found == [("mode_collapse", 3)]


def test_text_that_goes_round_in_circles():
    tokenizer = CharacterTokenizer.from_text("\nabcdefgh")
    model = MarkovChain(tokenizer=tokenizer, order=1, seed=0)
    for texts, alarms in (
        (["\n" + "abcdefgh" * 50 + "\n"] * 3, [("repetition", 3)]),
        (["\n" + "".join(RANDOM.choice([*"abcdefgh"], 400))] * 3, []),
    ):
        doctor = TrainingDoctor(patience=3, verbose=False)
        doctor.set_model(model)
        answers = iter(texts)
        model.generate = lambda prompt, count, seed, of=answers: next(of)
        for epoch in range(3):
            doctor.on_epoch_end(epoch, {})
        assert [(a.name, a.epoch) for a in doctor.alarms] == alarms


def test_repeated_share_counts_pieces_seen_before():
    text = "abcdefghij" * 2  # 11 pieces, the last of which is the first
    assert repeated_share(text) == pytest.approx(1 / 11)
    assert repeated_share("short") == 0.0


def test_every_alarm_says_what_it_means_and_what_to_try(capsys):
    doctor = TrainingDoctor(patience=3)
    doctor.set_model(Patient())
    for logs in verdicts(*[(1.0, 1.0)] * 4):
        doctor.on_epoch_end(0, logs)
    printed = capsys.readouterr().out
    assert printed.count("saturated discriminator") == 1
    for part in ("100.0%", "It means:", "Try:", "Read: tutorial 10"):
        assert part in printed
    assert all(len(texts) == 3 for texts in MEANINGS.values())


def test_watches_a_run_of_fit():
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(1e18), loss="mse")
    doctor = TrainingDoctor(verbose=False)
    model.fit(
        np.ones((64, 2)),
        np.ones((64, 1)),
        epochs=20,
        verbose=0,
        callbacks=[doctor],
    )
    assert [alarm.name for alarm in doctor.alarms][-1] == "not_finite"
    assert len(model.history.epoch) < 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_samples": 1}, "num_samples=1"),
        ({"period": 0}, "period=0"),
        ({"patience": 0}, "patience=0"),
        ({"warm_up_steps": -1}, "warm_up_steps=-1"),
        ({"extractor": Brightness()}, "reference=None"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TrainingDoctor(**arguments)
