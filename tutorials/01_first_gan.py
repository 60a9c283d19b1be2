# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1. A first GAN: two networks that teach each other
#
# **What you will make.** A network that writes digits nobody wrote, taught by
# a second network whose only job is to tell its digits from real ones:
#
# ![Digits from the generator of this page](images/01_first_gan.png)
#
# Both networks are plain perceptrons, so that nothing stands between you and
# the game itself. You will see what each side minimises, where the game would
# come to rest, how far from that point training really stays, and a number
# for how good the digits are.
#
# **Set-up.** `pip install -e ".[offline,tutorials]"` in a clone of the
# repository, from which the page runs. The page takes about 2 minutes on two
# CPU cores and downloads nothing.
#
# **What to expect**, over 3 seeds. Fréchet distance: 8.2 to 15.4; floor: 2.0
# to 3.5.

# %%
import keras_genai as kg

kg.prepare_tensorflow()  # oneDNN on, start-up log off; before TensorFlow

import keras
import numpy as np
from keras import ops

# %% [markdown]
# One cell holds all that is worth changing.

# %% tags=["parameters"]
PRESET = "default"  # "quick" ends within a minute
SEED = 0
CLASSIFIER_EPOCHS = 8

# %% [markdown]
# ## Data
#
# A *recipe* holds the choices of a run: the data, the model's arguments, how
# to train. `keras-genai train gan` on the command line runs the very same
# object.

# %%
recipe = kg.get_recipe("gan", PRESET)
recipe

# %% [markdown]
# Its data are 4,500 digits of MNIST's training set, which come with a package
# and need no download. Pixels arrive in $[-1, 1]$, the range of the `tanh` in
# which the generator ends, and in a new order each epoch.

# %%
train = recipe.dataset(seed=SEED)
images = next(iter(train))
print(images.shape, float(ops.min(images)), float(ops.max(images)))
kg.plotting.plot_images(kg.undo_scaling(images[:20]), columns=10)

# %% [markdown]
# ## Two networks
#
# The **generator** $G$ turns noise $z \sim \mathcal N(0, I)$ into an image.
# The **discriminator** $D$ gives each image one number, a *logit*: positive
# where it believes the image is real. Its probability is
# $D(x) = \sigma(\text{logit})$, but no network here ends in a sigmoid: the
# losses take logits, which neither overflow nor round to 0.

# %%
model = recipe.model(train, seed=SEED)
noise = keras.random.normal((5, model.latent_dim), seed=0)
generated = model.generator(noise)
logits = model.discriminator(generated)
print("noise", noise.shape, "-> images", generated.shape)
print("images", generated.shape, "-> logits", logits.shape)

# %% [markdown]
# ## The game
#
# The discriminator minimises its cross-entropy,
#
# $$\mathcal L_D = -\log D(x) - \log\bigl(1 - D(G(z))\bigr),$$
#
# and the generator should make that hard. The obvious way, to maximise the
# same quantity, is the **minimax** game. Early on it does not move: where
# $D(G(z)) \approx 0$, the slope of $\log(1 - D(G(z)))$ with respect to the
# logit is $-D(G(z)) \approx 0$. So the generator minimises
#
# $$\mathcal L_G = -\log D(G(z))$$
#
# instead, the **non-saturating** loss, whose slope is then close to $-1$. With
# logits $l$, `softplus(l)` $= \log(1 + e^l)$ writes all of them:
#
# | | probability | on a logit $l$ |
# | --- | --- | --- |
# | real, discriminator | $-\log D(x)$ | `softplus(-l)` |
# | generated, discriminator | $-\log(1 - D(G(z)))$ | `softplus(l)` |
# | generator, non-saturating | $-\log D(G(z))$ | `softplus(-l)` |
#
# Here is what a confident discriminator (logit $-6$) leaves the generator to
# learn from:

# %%
import tensorflow as tf

logit = tf.constant([[-6.0]])
for name in ("minimax", "non_saturating"):
    _, generator_loss = kg.losses.get_adversarial_loss(name)
    with tf.GradientTape() as tape:
        tape.watch(logit)
        loss = generator_loss(logit)
    slope = float(tape.gradient(loss, logit)[0, 0])
    print(f"{name:15} loss {float(loss[0]):7.4f}, slope {slope:8.5f}")

# %% [markdown]
# Where would it end? If the generator were perfect, no discriminator could do
# better than a coin: $D = \tfrac12$ everywhere, every logit 0, and
#
# $$\mathcal L_D = 2 \ln 2 \approx 1.386, \qquad
#   \mathcal L_G = \ln 2 \approx 0.693.$$
#
# Keep these two numbers in mind for the curves below.

# %%
zeros = ops.zeros((1, 1))
discriminator_loss, generator_loss = kg.losses.get_adversarial_loss(
    "non_saturating"
)
print("d_loss", float(discriminator_loss(zeros, zeros)[0]), 2 * np.log(2))
print("g_loss", float(generator_loss(zeros)[0]), np.log(2))

# %% [markdown]
# ## The step
#
# This is the whole algorithm, as it stands in the package; conditions,
# augmentation and the gradient penalty are off here, and belong to later
# pages. Read it once: the generator makes images **once**; the discriminator
# is updated on real and on generated images, in two passes; then the generator
# answers the discriminator *as it is now*, through the same images. `minimize`
# is told which network is to learn and which optimizer moves it, so that
# neither can undo the other's step.

# %%
import inspect

print(inspect.getsource(kg.GAN.train_step))
print(inspect.getsource(kg.GAN._update_discriminator))
print(inspect.getsource(kg.GAN.discriminator_losses))

# %% [markdown]
# `_update_average` keeps a moving average of the generator's weights. The
# game makes the generator circle; the average stands nearer to the middle of
# the circle, and is what `generate` and `export` use.
#
# ## Fit
#
# `fit` is Keras's own, so every callback works. `SampleImages` feeds the same
# noise to the generator after each epoch.

# %%
history = model.fit(
    train,
    epochs=recipe.epochs,
    verbose=0,
    callbacks=[kg.SampleImages(num_samples=40)],
)

# %%
kg.plotting.plot_history(history.history)

# %% [markdown]
# A GAN's losses do not fall as a classifier's do, because each is measured
# against an opponent that learns. What to look for: neither accuracy stuck at
# 1 (then the generator has nothing to learn from), nor both at 0.5 from the
# start (then the discriminator has not learned). `d_loss` below $2 \ln 2$
# says that the discriminator still finds differences.

# %%
results = model.evaluate(
    kg.image_dataset(recipe.source, split="test", seed=SEED), verbose=0
)
results

# %% [markdown]
# These are digits that neither network has seen. The discriminator leaves
# nothing out here, as dropout does in training, and the generator works with
# its averaged statistics, so that the two accuracies may stand otherwise than
# in the curves.
#
# ## Sample

# %% tags=["picture"]
kg.plotting.plot_images(model.generate(40, seed=1), columns=10)

# %% [markdown]
# The same seed gives the same digits, here, in the saved model and in the
# exported one. Between two points of the noise lies a path of digits:

# %%
ends = keras.random.normal((2, model.latent_dim), seed=5)
steps = np.linspace(0, 1, 10)[:, None]
path = (1 - steps) * ends[0] + steps * ends[1]
kg.plotting.plot_images(model.generate(noise=path), columns=10)

# %% [markdown]
# ## Evaluate
#
# A number needs something to compare with. We train a small classifier on the
# digits and compare sets of images in its last hidden layer: the **Fréchet
# distance** between Gaussians fitted to both sets is 0 for equal sets. The
# *floor* is the distance between two sets of real digits of the same size:
# nothing can be expected to go below it.

# %%
test = kg.load_images(recipe.source, split="test")
everything = kg.load_images(recipe.source, split="train")
extractor = kg.FeatureExtractor(test.image_shape, num_classes=10, seed=SEED)
extractor.fit(
    everything.images, everything.labels, CLASSIFIER_EPOCHS, verbose=0
)
accuracy = extractor.accuracy(test.images, test.labels)
print(f"classifier's accuracy on held-out digits: {accuracy:.3f}")


# %% tags=["expected"]
def measure(images):
    features = extractor.features(images)
    real = extractor.features(test.images)
    distance = kg.frechet_distance(real, features)
    precision, recall = kg.precision_and_recall(real, features)
    return f"{distance:8.1f} {precision:10.2f} {recall:7.2f}"


count = len(test.images)
noise_images = np.random.default_rng(0).uniform(size=test.images.shape)
print(f"{count} images      distance  precision  recall")
print("real (floor)   ", measure(everything.images[:count]))
print("this GAN       ", measure(model.generate(count, seed=2)))
print("uniform noise  ", measure(noise_images))

# %%
shares = kg.class_histogram(
    extractor.classify(model.generate(1000, seed=3)), num_classes=10
)
print("percent of samples:", dict(enumerate((100 * shares).round(1).tolist())))

# %% [markdown]
# ## Export and reload
#
# A SavedModel carries the averaged generator and needs TensorFlow alone.

# %%
import tempfile

folder = tempfile.TemporaryDirectory()
model.export(f"{folder.name}/served")
served = tf.saved_model.load(f"{folder.name}/served")
answer = served.signatures["serving_default"](
    num_samples=tf.constant(10), seed=tf.constant(1)
)
difference = np.abs(answer["images"] - model.generate(10, seed=1)).max()
print("greatest difference from the model:", float(difference))

# %% [markdown]
# ## What goes wrong
#
# A listing that is often copied ends the discriminator in a `sigmoid` and
# scores it with `BinaryCrossentropy(from_logits=True)`. Nothing fails. But a
# probability in $[0, 1]$ is then taken for a logit, so that the best possible
# discriminator (1 for real, 0 for generated) is charged for certainty it
# cannot express, and the generator hears almost nothing. The switch brings
# the mistake back:

# %%
cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
for mistake in (False, True):
    logits = tf.constant([[6.0], [-6.0]])  # real, generated: a sure verdict
    ones = tf.ones((1, 1))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        scores = ops.sigmoid(logits) if mistake else logits
        d_loss = cross_entropy(ones, scores[:1])
        d_loss += cross_entropy(0 * ones, scores[1:])
        g_loss = cross_entropy(ones, scores[1:])
    slope = float(tape.gradient(g_loss, logits)[1, 0])
    print(
        f"sigmoid in the discriminator: {mistake!s:5}  "
        f"best d_loss {float(d_loss):.3f}, generator's slope {slope:.4f}"
    )

# %% [markdown]
# The generator's signal is hundreds of times weaker, and `d_loss` can never
# leave the range between 1.0 and 2.0. The package refuses such a network:

# %%
try:
    kg.GAN(
        discriminator=keras.Sequential(
            [
                keras.layers.Input((28, 28, 1)),
                keras.layers.Flatten(),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
    )
except ValueError as error:
    print(error)

# %% [markdown]
# ## What we learned
#
# - A GAN is one loss seen from two sides, and each side keeps to its own
#   weights.
# - Logits to the end; the losses are sums of `softplus`.
# - $2 \ln 2$ and $\ln 2$ mark where the game would rest; training hovers
#   around a point near it, and the averaged generator calms the picture.
# - Curves tell whether the game is alive. Only a measure against held-out
#   images, beside its floor, tells how good the samples are.
#
# ## Exercises
#
# 1. Train with `loss="minimax"` and with `loss="least_squares"` (an argument
#    of the recipe: `dataclasses.replace(recipe, loss=...)`). Which is slower
#    at the start, and do the curves say why?
# 2. Compare `model.generate(500, averaged=False)` with the average. How much
#    of the distance does averaging save, after 5 epochs and after all?
# 3. Set `latent_dim` to 2 and draw the digits over a grid of noise. Which
#    digits are neighbours, and what has become of the distance?
#
# ## References
#
# - Goodfellow et al., *Generative adversarial nets*, 2014: the game, and the
#   non-saturating loss (section 3).
# - Heusel et al., *GANs trained by a two time-scale update rule converge to a
#   local Nash equilibrium*, 2017: the Fréchet distance between samples.
# - Kynkäänniemi et al., *Improved precision and recall metric for assessing
#   generative models*, 2019.
