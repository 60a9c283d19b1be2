# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9. Conditional and multitask GANs: GANs that obey
#
# **What you will make.** Two GANs that write the digit they are asked for:
#
# ![Digits on demand](images/09_conditional_and_multitask_gans.png)
#
# Each row is one noise vector, and each column one label. In the first GAN the
# discriminator is *shown* the label. In the second it has to *name* it, so that
# at the end of the page you also have a classifier.
#
# **Set-up.** `pip install -e ".[offline,tutorials]"` in a clone of the
# repository, from which the page runs. The page takes about 4 minutes on two
# CPU cores and downloads nothing.
#
# **What to expect**, over 3 seeds, on one core and on two. Fréchet distance,
# conditional GAN: 2.32 to 5.51; Fréchet distance, AC-GAN: 2.58 to 4.61; floor:
# 4.22 to 4.26; digits as asked, conditional GAN: 0.984 to 1.000; digits as
# asked, AC-GAN: 0.994 to 1.000.

# %%
import keras_genai as kg

kg.prepare_tensorflow()  # oneDNN on, start-up log off; before TensorFlow

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai.models.gans.conditional_gan import conditional_discriminator
from keras_genai.models.gans.dcgan import dcgan_features, dcgan_generator

# %% tags=["parameters"]
PRESET = "default"  # "quick" ends within a minute
SEED = 0
EPOCHS = 80  # of each of the two models
CLASSIFIER_EPOCHS = None  # of the judge; None: as many as the data need
MISTAKE_EPOCHS = 12  # of each of the runs that compare right with wrong

# %% [markdown]
# ## Data
#
# As on [the page about DCGAN](02_dcgan.ipynb), but each batch is a pair of
# images and labels. Look at both together before you train: a label that sits
# beside another image raises no error.

# %%
recipe = kg.get_recipe("conditional_gan", PRESET)
train = recipe.dataset(seed=SEED)
test = kg.load_images(recipe.source, split="test")
images, labels = next(iter(train))
print("images", images.shape, "labels", labels.shape, labels.dtype)
kg.plotting.plot_images(
    kg.undo_scaling(images[:10]), labels[:10].numpy(), columns=10
)

# %% [markdown]
# ## The game, given a label
#
# Both players are told the label $y$, and the game is played once a label:
#
# $$\min_G \max_D \;
#   \mathbb E_{x, y}[\log D(x \mid y)]
#   + \mathbb E_{z, y}[\log(1 - D(G(z \mid y) \mid y))].$$
#
# $D(x \mid y)$ answers one question: is this a *real* image *of that label*?
# A perfect 3 that was asked for as a 7 is a fake. So the generator must obey.
# (As before, the generator is trained on the non-saturating form of its half.)
#
# The generator has a vector for each label, which it learns, beside the noise.
# How does the discriminator see the label? There are three ways.
#
# - **Planes.** Ten channels more; the one of the label is 1 everywhere.
# - **Embedding.** One channel more, a picture learned for each label.
# - **Projection.** The body $f$ sees the image alone. The label comes in at the
#   end, through a vector $v_y$ that is as long as the features:
#   $$\text{logit} = \psi(f(x)) + \langle v_y, f(x) \rangle.$$

# %%
image_shape = train.examples.image_shape
num_classes = len(train.examples.class_names)
for conditioning in ("planes", "embedding", "projection"):
    network = conditional_discriminator(
        image_shape, num_classes, conditioning=conditioning, seed=SEED
    )
    (body,) = (
        layer for layer in network.layers if isinstance(layer, keras.Sequential)
    )
    print(
        f"{conditioning:11} body {body.input_shape[1:]} -> "
        f"{body.output_shape[1:]}, logits {network([images, labels]).shape}, "
        f"{network.count_params():,} weights"
    )

# %% [markdown]
# Why is the last form a natural one? The best discriminator has the logit
# $\log p(x, y) - \log q(x, y)$, where $q$ is what the generator makes. Take
# $p(x, y) = p(y \mid x)\, p(x)$ apart, and $q$ as well:
#
# $$\text{logit} = \underbrace{\log \frac{p(x)}{q(x)}}_{\psi(f(x))}
#   + \underbrace{\log \frac{p(y \mid x)}{q(y \mid x)}}_
#     {\langle v_y, f(x) \rangle}.$$
#
# The first term asks whether the image is real, whatever it shows. The second
# asks whether it shows the label; where both classifiers are linear in the
# features, a vector for each label is all it needs. The package's default is
# this form. Here it is by hand, on the network that the loop ended with:

# %%
embedding, verdict = (
    next(layer for layer in network.layers if isinstance(layer, kind))
    for kind in (keras.layers.Embedding, keras.layers.Dense)
)
features = body(images)  # f(x): (batch, feature_dim)
vectors = embedding(labels)  # v_y: (batch, feature_dim)
psi = verdict(features)  # (batch, 1)
product = ops.sum(vectors * features, axis=1, keepdims=True)  # (batch, 1)
print("f(x)", features.shape, "v_y", vectors.shape, "psi", psi.shape)
gap = ops.max(ops.abs(psi + product - network([images, labels])))
print(f"by hand and by the network, largest gap: {float(gap):.1e}")

# %% [markdown]
# One choice remains: which labels are the generated images asked for? Take the
# logit apart the other way round,
#
# $$\log \frac{p(x, y)}{q(x, y)}
#   = \log \frac{p(x \mid y)}{q(x \mid y)} + \log \frac{p(y)}{q(y)}.$$
#
# The last term judges the *label*, and no image can change it. If one label
# came more often among fakes than among real images, the discriminator could
# win points by that alone. So generated images **take the labels of the real
# ones beside them**: in each batch $p(y) = q(y)$, and the term is 0.
#
# ## Fit

# %%
model = recipe.model(train, seed=SEED)
history = model.fit(train, epochs=EPOCHS, verbose=0)
kg.plotting.plot_history(history.history)

# %% [markdown]
# ## Sample
#
# Eight noise vectors, each decoded with all ten labels.

# %% tags=["picture"]
noise = np.array(kg.sampling.seeded_noise(8, model.latent_dim, seed=1))
columns = np.tile(np.arange(num_classes), 8)
grid = model.generate(noise=noise.repeat(num_classes, axis=0), labels=columns)
kg.plotting.plot_images(grid, columns=num_classes)

# %% [markdown]
# The label says which digit, so the noise is left to say how it is written.
# Nobody asked for that one noise should write all digits in the same hand, but
# it costs the generator least to share what digits have in common. Can we see
# it in a number? Measure the ink of each image, and correlate two labels over
# many noises: 0 would mean that each label reads the noise in its own way.

# %%
noise = np.array(kg.sampling.seeded_noise(200, model.latent_dim, seed=2))
ink = [
    model.generate(noise=noise, labels=label).mean(axis=(1, 2, 3))
    for label in range(num_classes)
]
pairs = np.corrcoef(ink)[np.triu_indices(num_classes, k=1)]
print(f"ink of two labels, same noise: mean correlation {pairs.mean():.2f}")

# %% [markdown]
# ## Two tasks in one body
#
# Now the other way. The discriminator is *not* shown the label. It gets a
# second head, with a logit for each class, and has two tasks: real or not, and
# which class? Write $C(y \mid x)$ for what the second head says. Then
#
# $$\begin{aligned}
# L_D &= -\log D(x) - \log(1 - D(G(z \mid y)))
#        - \lambda \log C(y \mid x), \\
# L_G &= -\log D(G(z \mid y)) - \lambda \log C(y \mid G(z \mid y)).
# \end{aligned}$$
#
# The class loss is **not** a game. Both players want it low: the discriminator
# learns from real images what a 3 is, and the generator tries to be
# understood. $\lambda$ is `class_weight`, 1 by default. (In the paper the
# discriminator also learns the classes of generated images. Here it does not:
# early fakes show no class, and it would have to learn them all the same.)

# %%
two_tasks_recipe = kg.get_recipe("acgan", PRESET)
two_tasks = two_tasks_recipe.model(train, seed=SEED)
logits, class_logits = two_tasks.discriminator(images)
print("real or not", logits.shape, "which class", class_logits.shape)
two_tasks_history = two_tasks.fit(train, epochs=EPOCHS, verbose=0).history
accuracies = ("d_class_accuracy", "g_class_accuracy", "d_real_accuracy")
kg.plotting.plot_history({key: two_tasks_history[key] for key in accuracies})

# %%
kg.plotting.plot_images(
    two_tasks.generate(labels=columns[:40], seed=1), columns=num_classes
)

# %% [markdown]
# Half of this discriminator is a classifier, so it can be examined like one,
# on images that it has never seen. `classify` gives probabilities; `evaluate`
# plays a round of the game on held-out images, without learning, and reports
# the same accuracy as `d_class_accuracy`.
#
# Compare it with the curve above. In training BatchNorm takes its statistics
# from the batch, and real and generated images come in batches of their own.
# In inference it has one set of moving statistics for both, and two of the
# three batches of each step that it has seen were generated. So the classifier
# is worse when it is used than when it was trained, and `d_real_accuracy`
# shows it most. Where the classifier is what you are after,
# `normalization="layer"` has no such statistics: after 25 epochs on these
# digits it classified 95.6 % of those held out, BatchNorm 93.6 % (one run
# each, at the same distance to the test set).

# %%
probabilities = two_tasks.classify(test.images / np.float32(255))
right = (probabilities.argmax(axis=1) == test.labels).mean()
print(f"classify: {right:.3f} of {len(test.labels)} held-out digits")
held_out = two_tasks_recipe.dataset(seed=SEED, split="test")
report = two_tasks.evaluate(held_out, verbose=0)
for name in accuracies:
    print(f"evaluate: {name} {report[name]:.3f}")

# %% [markdown]
# ## Evaluate
#
# Three questions, for both models. *Is it what was asked for?* The judge is
# a classifier that took no part in the training: the discriminator's own
# opinion, `g_class_accuracy`, is what the generator was trained to please.
# *Is it good?* The Fréchet distance and the precision. *Is it varied?* The
# recall: a model that wrote one fine 3 whenever it is asked for a 3 would have
# full marks for obedience, and a recall of almost 0. The last line is what
# real training images get in place of samples, its first number what the judge
# makes of held-out ones; no model needs to be better.
#
# (`cache=False` because this page leaves nothing behind. Without it, the judge
# is trained once and then read from a file.)

# %% tags=["expected"]
extractor = kg.FeatureExtractor.for_data(
    train.examples, cache=False, epochs=CLASSIFIER_EPOCHS, verbose=0
)
asked = np.tile(np.arange(num_classes), 50)
names = ("frechet_distance", "precision", "recall")


def judge(name, model):
    samples = model.generate(labels=asked, seed=5)
    result = kg.evaluate_samples(
        samples,
        test,
        train.examples,
        extractor,
        num_bootstraps=0,
        verbose=0,
    )
    values = [extractor.accuracy(samples, asked)]
    show(name, values + [result[name].value for name in names])
    return result


def show(name, values):
    obeyed, distance, precision, recall = values
    print(
        f"{name:18} {obeyed:8.3f} {distance:9.2f} {precision:10.2f} "
        f"{recall:7.2f}"
    )


heading = f"{'':18} as asked  distance  precision  recall"
print(heading)
result = judge("conditional GAN", model)
judge("two tasks (AC-GAN)", two_tasks)
accuracy = extractor.accuracy(test.images, test.labels)
show("real digits", [accuracy] + [result[name].floor for name in names])

# %% [markdown]
# ## Export and reload
#
# An exported conditional model has a signature that takes `labels`. The AC-GAN
# has `classify` besides: one folder, a generator and a classifier.

# %%
import tempfile

folder = tempfile.TemporaryDirectory()
model.save(f"{folder.name}/model.keras")
same = kg.load_model(f"{folder.name}/model.keras")
print("loaded:", type(same).__name__, "with", same.num_classes, "classes")

model.export(f"{folder.name}/served")
served = tf.saved_model.load(f"{folder.name}/served").signatures
print(sorted(served))
answer = served["generate_labels"](
    labels=tf.constant([3, 3, 7]), seed=tf.constant(1)
)["images"]
expected = model.generate(labels=[3, 3, 7], seed=1)
print("difference", float(np.abs(answer - expected).max()))

two_tasks.export(f"{folder.name}/two_tasks")
served = tf.saved_model.load(f"{folder.name}/two_tasks").signatures
print(sorted(served))
answer = served["classify"](images=tf.constant(test.images / np.float32(255)))
difference = np.abs(answer["probabilities"] - probabilities).max()
print("difference", float(difference))

# %% [markdown]
# ## What goes wrong
#
# ### Label planes by reshape
#
# A plane is a number repeated over height and width. It is tempting to repeat
# the one-hot labels as often as there are pixels, and to let a reshape find the
# axes. The shape comes out right, so nothing complains. Two such lines:


# %%
class Repeated(kg.layers.LabelPlanes):
    def planes(self, one_hot, height, width):
        # Without an axis, `repeat` goes on number by number, and the reshape
        # lays each number out over some rows instead of over a plane.
        return ops.repeat(one_hot, height * width)

    def call(self, images, labels):
        height, width = images.shape[1:3]
        one_hot = ops.one_hot(labels, self.num_classes, dtype=images.dtype)
        planes = self.planes(one_hot, height, width)
        planes = ops.reshape(planes, (-1, height, width, self.num_classes))
        return ops.concatenate([images, planes], axis=-1)


class Tiled(Repeated):
    def planes(self, one_hot, height, width):
        # The batch is repeated: neighbouring pixels of one image are given
        # the labels of neighbouring images.
        return ops.tile(one_hot, (height * width, 1))


kinds = {
    "planes": kg.layers.LabelPlanes,
    "repeat + reshape": Repeated,
    "tile + reshape": Tiled,
}
rows = {}
for name, kind in kinds.items():
    planes = np.array(kind(num_classes)(images, labels))[..., 1:]
    rows[name] = planes[0].transpose(2, 0, 1)[..., None]
    if name == "planes":
        expected = planes
    wrong = (planes != expected).mean(axis=(1, 2, 3)).mean()
    constant = (np.ptp(planes, axis=(1, 2)) == 0).mean()
    print(
        f"{name:17} shape {planes.shape}, {wrong:6.1%} of the numbers wrong, "
        f"{constant:6.1%} of the planes constant"
    )
print("below: the ten planes of the first image, of label", int(labels[0]))
kg.plotting.plot_rows(rows)

# %% [markdown]
# Do not read the share as a small one. Two one-hot labels drawn at random
# differ in two numbers of ten, nine times in ten, which makes 18 %: both
# layouts are as wrong as chance. But they are wrong in different ways. `repeat`
# draws a band whose place depends on the image's own label. That is an odd
# picture, but a network that sees the whole image can read it. `tile` shows
# each image a mosaic of the labels of the whole batch, its own no more than
# another's. Train with each, and remember that guessing obeys at 0.1:


# %%
def compare(name, **networks):
    attempt = kg.ConditionalGAN(image_shape, num_classes, seed=SEED, **networks)
    attempt.compile()
    attempt.fit(train, epochs=MISTAKE_EPOCHS, verbose=0)
    return attempt, judge(name, attempt)


def discriminator_with(layer):
    images = keras.Input(image_shape)
    labels = keras.Input((), dtype="int32")
    height, width, channels = image_shape
    body = dcgan_features((height, width, channels + num_classes), seed=SEED)
    logits = keras.layers.Dense(1)(body(layer(images, labels)))
    return keras.Model([images, labels], logits)


print(f"after {MISTAKE_EPOCHS} epochs\n{heading}")
for name, kind in kinds.items():
    compare(name, discriminator=discriminator_with(kind(num_classes)))

# %% [markdown]
# `tile` writes digits, but not the ones it is asked for. `repeat` is no such
# disaster, and that makes it the more stubborn mistake: the network works
# around it, no number betrays it, and it stays until somebody looks at planes.
#
# ### Labels as loud as the noise
#
# The generator's vectors for labels start with a standard deviation of 0.05,
# and the noise beside them has one of 1. To start both at 1 sounds fair, but
# the label is the easier lesson: it comes as one of ten vectors, the same each
# time, while the noise is new each time. If both are as loud at the start, the
# generator can learn its ten labels before it learns to listen to noise, and
# then it has one digit a label. Here are both starts, all else equal. Watch
# which columns of the table notice, and which do not. (The first row has the
# default, projection; compare it with `planes` above.)


# %%
def generator_with(stddev):
    noise = keras.Input((model.latent_dim,))
    labels = keras.Input((), dtype="int32")
    vectors = keras.layers.Embedding(
        num_classes,
        model.latent_dim,
        embeddings_initializer=keras.initializers.RandomNormal(
            stddev=stddev, seed=SEED
        ),
    )(labels)
    network = dcgan_generator(image_shape, 2 * model.latent_dim, seed=SEED)
    both = keras.layers.Concatenate()([noise, vectors])
    return keras.Model([noise, labels], network(both))


print(f"after {MISTAKE_EPOCHS} epochs\n{heading}")
rows = {}
for stddev in (0.05, 1.0):
    name = f"stddev {stddev}"
    attempt, _ = compare(name, generator=generator_with(stddev))
    spread = np.mean(
        [
            attempt.generate(50, labels=label, seed=6).std(axis=0).mean()
            for label in range(num_classes)
        ]
    )
    print(f"{'':18} spread within a label, a pixel: {spread:.3f}")
    rows[name] = attempt.generate(12, labels=3, seed=1)
kg.plotting.plot_rows(rows)

# %% [markdown]
# ## What we learned
#
# - A GAN obeys once disobedience can be seen: either the discriminator is shown
#   the label, or it has to name it.
# - Projection is Bayes' rule written as a layer: one term for "real", one for
#   "of this label".
# - Fakes take the labels of the real images beside them. What the labels alone
#   give away is no lesson about images.
# - Obedience, quality and variety are three numbers. Of the mistakes of this
#   page one hits obedience, one variety and one hardly any of them, and none
#   raises an error.
# - A shape says how many numbers there are, and not which is which. Look at
#   planes before you train on them.
#
# ## Exercises
#
# 1. Train `kg.ConditionalGAN` with `conditioning="planes"` and `"embedding"`
#    for `EPOCHS`, and put both in the table. Which obeys best?
# 2. Set `class_weight` of the AC-GAN to 0, 0.1 and 10. What does obedience
#    cost, and what happens to the recall within a class? (Judge samples of one
#    label against held-out images of that label.)
# 3. Break $p(y) = q(y)$: override `_make_images`, `discriminator_losses` and
#    `generator_losses` of `kg.ConditionalGAN` so that fakes are asked for
#    `ops.where(labels < 5, labels, 0)`, and shown so. Where does the mean logit
#    of a real 0 go, and is that where $\log p(y) / q(y)$ says?
#
# ## References
#
# - Mirza and Osindero, *Conditional generative adversarial nets*, 2014.
# - Miyato and Koyama, *cGANs with projection discriminator*, 2018: the
#   decomposition above.
# - Odena, Olah and Shlens, *Conditional image synthesis with auxiliary
#   classifier GANs*, 2017.
# - Kynkäänniemi et al., *Improved precision and recall metric for assessing
#   generative models*, 2019.
