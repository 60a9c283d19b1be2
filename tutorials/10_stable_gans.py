# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10. Stable GANs: critics, penalties, and a few hundred images
#
# **What you will make.** A Wasserstein GAN whose loss means something, a GAN
# whose discriminator does not learn three hundred digits by heart, and three
# runs that fail, each of which a callback names while it fails:
#
# ![Digits of a Wasserstein GAN](images/10_stable_gans.png)
#
# The networks are those of [page 2](02_dcgan.ipynb), the measures those of
# [page 8](08_evaluating_samples.ipynb).
#
# **Set-up.** `pip install -e ".[offline,tutorials]"` in a clone of the
# repository, from which the page runs. The page takes about 5 minutes on two
# CPU cores and downloads nothing.
#
# **What to expect**, over 3 seeds, on one core and on two. Fréchet distance,
# WGAN-GP: 15.29 to 41.29; Fréchet distance, hinge and spectral: 23.01 to
# 107.56; floor: 3.82 to 4.26.

# %%
import dataclasses

import keras_genai as kg

kg.prepare_tensorflow()  # oneDNN on, start-up log off; before TensorFlow

import keras
import numpy as np
import tensorflow as tf
from keras import ops

# %% tags=["parameters"]
PRESET = "default"  # "quick" ends within a minute
SEED = 0
CLASSIFIER_EPOCHS = 14
CRITIC_EPOCHS = 30
FEW = 300  # digits to learn from
FEW_EPOCHS = 400
BROKEN_EPOCHS = 30

# %% [markdown]
# ## Data

# %%
recipe = dataclasses.replace(
    kg.get_recipe("wgan_gp", PRESET), epochs=CRITIC_EPOCHS
)
train = recipe.dataset(seed=SEED)
test = kg.load_images(recipe.source, split="test")
everything = kg.load_images(recipe.source, split="train")
extractor = kg.FeatureExtractor.for_data(
    everything, cache=False, epochs=CLASSIFIER_EPOCHS, verbose=0
)
count = len(test.images)


MEASURES = ("frechet_distance", "precision", "recall", "coverage")


def measure(title, images):
    """One line: what samples are worth in the extractor's features."""
    result = kg.evaluate_samples(
        images, test, extractor=extractor, num_bootstraps=0, verbose=0
    )
    numbers = "".join(f"{result[name].value:12.2f}" for name in MEASURES)
    print(f"{title:22}{numbers}")


def head(title):
    names = (name.removeprefix("frechet_") for name in MEASURES)
    print(f"{title:22}" + "".join(f"{name:>12}" for name in names))


# %% [markdown]
# ## A critic instead of a judge
#
# A discriminator that is always right teaches nothing: its logits are far from
# 0, where the logistic function is flat. The Wasserstein GAN asks another
# question. Not "how likely is this image real?", but "how far would generated
# images have to be moved to become the real ones?" The answer is
#
# $$W(p, q) = \max_{\|D\|_L \le 1}\;
# \mathbb{E}_{x \sim p} D(x) - \mathbb{E}_{x \sim q} D(x),$$
#
# a gap of scores, the largest that a function can reach whose slope is at most
# 1 everywhere. `D` is called a critic. Its loss is minus the gap, and as the
# critic gets better it does not go flat.
#
# Everything rests on the bound of the slope. Two ways to it are built in:
#
# - **Gradient penalty** (Gulrajani et al.): at a point `x` between a real and
#   a generated image, mixed in a uniformly random share, add
#   `10 (|grad D(x)| - 1)^2` to the loss. Each image's slope must be its own,
#   so that the critic may have no BatchNorm: the package refuses it.
# - **Spectral normalisation** (Miyato et al.): divide each layer's weights by
#   their largest singular value, so that no layer stretches anything.
#
# The first, on a critic whose slope we know: a linear one.

# %%
slope = np.zeros((784, 1), "float32")
slope[:16] = 0.5  # of norm 2
linear = keras.Sequential(
    [
        keras.layers.Input((28, 28, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(1, use_bias=False),
    ]
)
linear.layers[-1].set_weights([slope])
images = next(iter(train))
penalty = kg.losses.gradient_penalty(linear, images, -images, seed=0)
print("penalty of a slope of 2:", float(ops.mean(penalty)))

# %% [markdown]
# The second, on a layer of random weights: what it does to any input is
# measured by its singular values.

# %%
layer = kg.layers.SpectralNormalization(
    keras.layers.Dense(64, use_bias=False), seed=0
)
x = keras.random.normal((8, 128), seed=0)
for _ in range(100):
    layer(x, training=True)  # one power iteration each
kernel = layer.layer.kernel.numpy()
print("largest singular value:", np.linalg.svd(kernel)[1][0].round(4))
print("as the layer has it:   ", layer.spectral_norm().numpy().round(4))

# %% [markdown]
# ## Fit
#
# `WGANGP` is `DCGAN` with a critic: no BatchNorm in it, three of its steps for
# one of the generator, Adam without momentum. Its reported
# `wasserstein_distance` is the gap of scores. Once the critic has learned, it
# falls as the samples get better, which no other GAN's loss does; near 0 it
# creeps up again.

# %%
model = recipe.model(train, seed=SEED)
doctor = kg.TrainingDoctor(everything.images, extractor)
history = model.fit(train, epochs=recipe.epochs, verbose=0, callbacks=[doctor])
print("alarms:", doctor.alarms)
kg.plotting.plot_history(history.history)

# %% [markdown]
# ## Sample

# %% tags=["picture"]
kg.plotting.plot_images(model.generate(40, seed=1), columns=10)

# %% [markdown]
# ## Evaluate
#
# Beside it the hinge loss with spectral normalisation, which needs no second
# derivative and one step each. It is one argument of `DCGAN`, and one of
# `compile`.

# %% tags=["expected"]
hinge = kg.DCGAN(
    train.examples.image_shape, normalization="spectral", seed=SEED
)
hinge.compile(loss="hinge")
hinge.fit(train, epochs=recipe.epochs, verbose=0)

head(f"{count} samples")
measure("real (floor)", everything.images[:count])
measure("Wasserstein, penalty", model.generate(count, seed=2))
measure("hinge, spectral", hinge.generate(count, seed=2))

# %% [markdown]
# ## A few hundred images
#
# With few images the discriminator finds an easier way than to learn what
# digits are: it learns these digits. Then it is sure of every generated image,
# and says no more which way is better.
#
# The cure is to augment what the discriminator sees: every image, real or
# generated, is moved, brightened, partly covered. Because this is done to
# generated images as well, and by differentiable operations, the generator is
# not asked for moved and covered digits (Zhao et al.). How often, can be left
# to the discriminator (Karras et al.): the share of real images that it calls
# real, beyond those that it does not, `E[sign D]`, says how much it has learned
# by heart. Above 0.6 the probability rises, below it falls.

# %%
few = dataclasses.replace(
    everything, images=everything.images[:FEW], labels=everything.labels[:FEW]
)
few_images = kg.image_dataset(few, batch_size=64, seed=SEED)
augment = kg.DifferentiableAugmentation(seed=SEED)
shown = kg.undo_scaling(next(iter(few_images))[:10])
kg.plotting.plot_rows(
    {
        "real": shown,
        "as seen": ops.clip((augment(2.0 * shown - 1.0) + 1) / 2, 0, 1),
        "again": ops.clip((augment(2.0 * shown - 1.0) + 1) / 2, 0, 1),
    }
)

# %%
pictures = {}
head(f"{FEW} digits")
for augmentation in (None, "adaptive"):
    attempt = kg.DCGAN(
        discriminator_augmentation=augmentation,
        seed=SEED,
    )
    attempt.compile()
    watching = kg.TrainingDoctor(few.images, verbose=False)
    log = attempt.fit(
        few_images, epochs=FEW_EPOCHS, verbose=0, callbacks=[watching]
    ).history
    title = f"{augmentation or 'no'} augmentation"
    measure(title, attempt.generate(count, seed=2))
    pictures[title] = attempt.generate(12, seed=1)
    print("    alarms:", [(each.name, each.epoch) for each in watching.alarms])
    if augmentation:
        ending = log["augmentation_probability"][-1]
        print(f"    probability at the end: {ending:.2f}")
kg.plotting.plot_rows(pictures)

# %% [markdown]
# Without augmentation the discriminator came to be sure of every image, and the
# doctor said so; with it, it did not. What that is worth depends on how long
# one trains and on how many images there are. One run of each, as here, does
# not settle it, and the distance of this table may fall out either way. Three
# seeds of each did (`benchmarks/few_images.py`, full MNIST as the judge): from
# 500 digits adaptive augmentation took the distance down with every seed, by 10
# per cent on average; from 5,000, after as many steps, it raised it by 16.
# There was nothing yet to cure.
#
# ## Export and reload
#
# The penalty, the critic and the augmentation are of use to training alone;
# what others are handed is the averaged generator.

# %%
import tempfile

folder = tempfile.TemporaryDirectory()
model.export(f"{folder.name}/served")
served = tf.saved_model.load(f"{folder.name}/served").signatures
answer = served["serving_default"](
    num_samples=tf.constant(10), seed=tf.constant(1)
)["images"]
difference = np.abs(answer - model.generate(10, seed=1)).max()
print("difference", float(difference))

# %% [markdown]
# ## What goes wrong
#
# Each run changes one thing. `TrainingDoctor` looks on: it prints what it has
# seen, what that means and what to try. It did not speak in the run above.
#
# 1. **No penalty.** The scores of a critic whose slope nothing bounds can be as
#    large as it likes, and so the gap: no two images are as far apart.
# 2. **A greedy generator.** With 25 times the discriminator's learning rate it
#    runs after whatever the discriminator has just got wrong, with all images
#    at once.
# 3. **Few images**, as above without augmentation: the alarm there was of
#    a saturated discriminator.

# %%
broken = {
    "no penalty": dataclasses.replace(recipe, gradient_penalty=0.0),
    "greedy generator": dataclasses.replace(
        kg.get_recipe("gan", PRESET),
        d_learning_rate=2e-4,
        g_learning_rate=5e-3,
    ),
}
for title, change in broken.items():
    print(f"--- {title}")
    attempt = change.model(train, seed=SEED)
    doctor = kg.TrainingDoctor(everything.images, extractor)
    attempt.fit(train, epochs=BROKEN_EPOCHS, verbose=0, callbacks=[doctor])
    head("")
    measure(title, attempt.generate(count, seed=2))

# %% [markdown]
# ## What we learned
#
# - A Wasserstein critic measures a distance, as long as its slope is bounded.
#   Without the bound its number means nothing, and samples show it.
# - A penalty for each image alone and BatchNorm exclude each other.
# - Few images are learned by heart. Augmenting all that the discriminator
#   sees, differentiably, prevents it; the discriminator's own certainty says
#   how much is needed.
# - What goes wrong can be read off numbers while it happens.
#
# ## Exercises
#
# 1. Train `WGANGP` with `discriminator_steps=1` and with 5. Which one is ahead
#    after the same seconds, and which after the same steps?
# 2. Give `DifferentiableAugmentation` only `"translation"`. How much of the
#    gain on few digits is left?
# 3. Try each cure that the doctor names for the greedy generator. Which of
#    them silences it?
#
# ## References
#
# - Arjovsky, Chintala and Bottou, *Wasserstein GAN*, 2017.
# - Gulrajani et al., *Improved training of Wasserstein GANs*, 2017.
# - Miyato et al., *Spectral normalization for generative adversarial
#   networks*, 2018.
# - Zhao et al., *Differentiable augmentation for data-efficient GAN training*,
#   2020.
# - Karras et al., *Training generative adversarial networks with limited
#   data*, 2020.
