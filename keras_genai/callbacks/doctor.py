"""Warnings about training that goes wrong, while it runs."""

import math
import typing

import keras

from keras_genai.modalities import get_modality, names, of_model


class RaiseOnNaN(keras.callbacks.Callback):
    """Ends training with an error when a number is no longer finite.

    Keras's `TerminateOnNaN` looks only at `"loss"`, which a GAN does not
    report because it has a loss for each network. It also lets the epoch end,
    so that a backup of the broken weights replaces a good one.

    Raises:
        FloatingPointError: When a reported number is NaN or infinite.

    Example:
        >>> callback = RaiseOnNaN()
    """

    looks_at_executions = True  # not at each batch: `fit` may take several

    def on_train_batch_end(self, batch, logs=None):
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"Training diverged: {name} is {float(value)} at batch "
                    f"{batch} of the epoch. Lower learning rates are the "
                    "first thing to try."
                )


class Alarm(typing.NamedTuple):
    """A sign of trouble in a training run.

    Attributes:
        epoch: Integer, from 1 on.
        name: String, a key of `MEANINGS`.
        seen: String, the measured number and its threshold.
    """

    epoch: int
    name: str
    seen: str

    def __str__(self):
        meaning, advice, section = MEANINGS[self.name]
        return (
            f"Epoch {self.epoch}, {self.name.replace('_', ' ')}: {self.seen}\n"
            f"    It means: {meaning}\n"
            f"    Try: {advice}\n"
            f"    Read: {section}"
        )


_GANS = "tutorial 10, 'What goes wrong'"
# Name of an alarm -> its meaning, the advice, further reading.
MEANINGS = {
    "not_finite": (
        "a number overflowed, and the weights cannot recover from it; "
        "training was stopped.",
        "a learning rate 10 times lower, or clipnorm=1.0 in the optimizer.",
        f"{_GANS}, and tutorial 4 for VAEs",
    ),
    "divergence": (
        "the loss is worse than it was: steps overshoot.",
        "a learning rate 3 to 10 times lower, or clipnorm=1.0 in the "
        "optimizer.",
        f"{_GANS}, and tutorial 7 for language models",
    ),
    "unbounded_critic": (
        "a critic of slope 1 cannot give such a gap: the slope is not bounded, "
        "and the scores measure nothing.",
        "compile(gradient_penalty=10.0), or normalization='spectral'.",
        _GANS,
    ),
    "saturated_discriminator": (
        "the discriminator recognises all images, and its gradients no longer "
        "help the generator; often it knows the images by heart.",
        "discriminator_augmentation='adaptive', a lower d_learning_rate, or "
        "compile(label_smoothing=0.1) where the loss has targets.",
        _GANS,
    ),
    "posterior_collapse": (
        "the codes contain almost nothing about the images, and the decoder "
        "works without them.",
        "a lower beta, kl_warmup_steps of a few epochs, or free_bits=0.1; "
        "and sums, not averages, in a loss of your own.",
        "tutorial 4, 'What goes wrong'",
    ),
}
# Each modality checks its own samples, and lists its possible alarms.
for _name in names():
    MEANINGS |= get_modality(_name).training.alarms


class TrainingDoctor(keras.callbacks.Callback):
    """Watches a training run of any family for common problems.

    Each kind of problem is reported once, with the measured number, its
    meaning and the argument to try. The doctor reads the model's metrics, and
    every `period` epochs it checks samples:

    - any number that is not finite: training stops;
    - divergence: a `loss` above that of the first epoch, and half as much
      again above the best;
    - an unbounded critic: a `wasserstein_distance` greater than the diameter
      of all images;
    - a saturated discriminator: both its accuracies above 0.99 for `patience`
      epochs;
    - mode collapse: samples that lie, on average, at less than half the
      distance from each other that real images do, or that fall into fewer
      than half as many classes (the exponential of the entropy), for
      `patience` looks, once they have been more varied or `warm_up_steps` are
      over; it needs `reference`, and for classes `extractor`;
    - posterior collapse: fewer than an eighth of the latents active after
      `patience` epochs;
    - repetition: more than half of a text's pieces of ten characters were in
      it before, for `patience` looks.

    A run that ends before `patience` epochs, or within the `warm_up_steps` of
    a generator, is judged by its last epoch, and the report says how short the
    run was.

    Args:
        reference: Real images, array `(count, height, width, channels)`, float
            in [0, 1] or uint8, or `None`: samples of images are then not
            checked. A few hundred are enough.
        extractor: `FeatureExtractor`, whose features and classes are compared,
            or `None` to compare pixels.
        num_samples: Integer >= 2, images in each check. Defaults to `256`.
        period: Integer >= 1, epochs from one check of samples to the next.
        patience: Integer >= 1, checks in a row before an alarm. Defaults to
            `5`.
        warm_up_steps: Integer >= 0, batches in which a generator that has
            learned nothing yet may make all images alike. Defaults to `1000`.
        prompt: String that texts continue. Defaults to a line break.
        seed: Integer, of the samples. Defaults to `0`.
        verbose: Boolean. Whether alarms are printed. Defaults to `True`.

    Attributes:
        alarms: List of `Alarm`.
        steps: Integer, batches of the epochs that have ended.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import numpy as np
        >>> doctor = TrainingDoctor(reference=np.zeros((8, 28, 28, 1)))
        >>> doctor.alarms
        []
    """

    looks_at_executions = True  # as of `RaiseOnNaN`

    def __init__(
        self,
        reference=None,
        extractor=None,
        num_samples=256,
        period=1,
        patience=5,
        warm_up_steps=1000,
        prompt="\n",
        seed=0,
        verbose=True,
    ):
        super().__init__()
        if min(num_samples - 1, period, patience, warm_up_steps + 1) < 1:
            raise ValueError(
                "`num_samples` must be at least 2, `period` and `patience` 1, "
                "`warm_up_steps` 0. "
                f"Received: num_samples={num_samples}, period={period}, "
                f"patience={patience}, warm_up_steps={warm_up_steps}"
            )
        if extractor is not None and reference is None:
            raise ValueError(
                "An extractor needs real images to compare with. "
                "Received: reference=None"
            )
        self.reference = None if reference is None else reference[:num_samples]
        self.extractor = extractor
        self.num_samples = num_samples
        self.period = period
        self.patience = patience
        self.warm_up_steps = warm_up_steps
        self.prompt = prompt
        self.seed = seed
        self.verbose = verbose
        self.alarms = []
        self._in_a_row = {}
        self._losses = []
        self.steps = self._batches = 0  # before the epoch; in the epoch
        self._last = None  # epoch, and its logs
        self._look = None  # the check of the model's modality

    def on_train_batch_end(self, batch, logs=None):
        self._batches = batch + 1
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                epoch = len(self._losses)
                self._raise("not_finite", epoch, f"{name} is {float(value)}.")
                self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        if any(alarm.name == "not_finite" for alarm in self.alarms):
            return  # such a model has no samples
        self._last = epoch, logs or {}
        self._losses.append((logs or {}).get("loss"))
        self.steps += self._batches
        for name, seen in self._symptoms(*self._last):
            # Some alarms come at once, others only if the sign lasts.
            patience = 1 if name in _AT_ONCE else self.patience
            if seen is not None:
                self._in_a_row[name] = self._in_a_row.get(name, 0) + 1
            else:
                self._in_a_row[name] = 0
            if self._in_a_row[name] >= patience:
                self._raise(name, epoch, seen)

    def on_train_end(self, logs=None):
        not_finite = any(alarm.name == "not_finite" for alarm in self.alarms)
        if self._last is None or not_finite:
            return
        epoch, _ = self._last
        is_short = epoch + 1 < self.patience
        if not is_short and self.steps >= self.warm_up_steps:
            return  # long runs have reported all alarms
        for name, seen in self._symptoms(*self._last, at_end=True):
            if seen is not None and (is_short or name == "mode_collapse"):
                steps = f"{self.steps:,} steps"
                short = f"; that is after {steps} only: train longer first"
                self._raise(name, epoch, seen + short)

    def _symptoms(self, epoch, logs, at_end=False):
        """Yields each check: its name, and the sign that was seen or `None`."""
        if "loss" in logs:
            yield "divergence", self._divergence()
        if "wasserstein_distance" in logs:
            yield "unbounded_critic", self._unbounded_critic(logs)
        if "d_real_accuracy" in logs:
            yield "saturated_discriminator", self._saturation(logs)
        if "active_units" in logs and (at_end or epoch + 1 >= self.patience):
            yield "posterior_collapse", self._posterior_collapse(logs)
        if at_end or (epoch + 1) % self.period == 0:
            if self._look is None:
                self._look = of_model(self.model).training.look(self)
            yield from self._look(at_end)

    def _divergence(self):
        *_, loss = self._losses
        first, best = self._losses[0], min(self._losses)
        limit = max(first, best + 0.5 * abs(best))
        if loss > limit:
            return f"loss {loss:.4g}, after {first:.4g} at first and {best:.4g}"

    def _unbounded_critic(self, logs):
        distance = abs(logs["wasserstein_distance"])
        diameter = 2 * math.sqrt(math.prod(self.model.image_shape))
        if distance > diameter:
            return (
                f"wasserstein_distance {distance:.4g}, and no two images are "
                f"further apart than {diameter:.4g}"
            )

    def _saturation(self, logs):
        real, fake = logs["d_real_accuracy"], logs["d_fake_accuracy"]
        if min(real, fake) > 0.99:
            return (
                f"the discriminator is right on {real:.1%} of real and "
                f"{fake:.1%} of generated images"
            )

    def _posterior_collapse(self, logs):
        active, latent_dim = logs["active_units"], self.model.latent_dim
        if active < max(1, latent_dim / 8):
            return f"{active:.0f} of {latent_dim} latents are active"

    def _raise(self, name, epoch, seen):
        if any(alarm.name == name for alarm in self.alarms):
            return
        self.alarms.append(Alarm(epoch + 1, name, seen))
        if self.verbose:
            print(f"\n{self.alarms[-1]}")


# Alarms for which one epoch is enough.
_AT_ONCE = ("divergence", "unbounded_critic", "posterior_collapse")
