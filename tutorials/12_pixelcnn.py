# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 12. PixelCNN: an image as a text of pixels
#
# **What you will make.** A model that draws digits one pixel after another,
# goes on from the upper half of a digit that it has never seen, and says
# exactly how likely an image is:
#
# ![Digits with their lower halves drawn anew](images/12_pixelcnn.png)
#
# [Page 4](04_vae.ipynb) had to be content with a bound on the likelihood. Here
# it is the likelihood itself, and you will put it to use: as the length of a
# file, as a map of surprise, as a classifier. At the end a mask that is
# applied once instead of always gives numbers that are too good to be true.
#
# **Set-up.** `pip install -e ".[offline,tutorials]"` in a clone of the
# repository, from which the page runs. The page takes about 4 minutes on two
# CPU cores and downloads nothing.
#
# **What to expect**, over 3 seeds, on one core and on two. Each pixel by
# itself: 212.8 to 213.5 nats; PixelCNN: 85.8 to 86.9 nats; PixelCNN, given the
# digit: 82.9 to 84.0 nats.

# %%
import keras_genai as kg

kg.prepare_tensorflow()  # oneDNN on, start-up log off; before TensorFlow

import dataclasses
import lzma
import time

import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai.distributions import Bernoulli

# %% tags=["parameters"]
PRESET = "default"  # "quick" ends within a minute
SEED = 0
EPOCHS = 8
LABEL_EPOCHS = 5  # of the model that is told the digit
MISTAKE_EPOCHS = 1
SAMPLES = 1000  # that are timed

# %% [markdown]
# ## Data
#
# Pixels that are 0 or 1, binarised anew in every epoch with the probability
# that is the grey level, as on page 4. What is measured below is measured on
# these held-out digits, drawn once:

# %%
recipe = dataclasses.replace(kg.get_recipe("pixelcnn", PRESET), epochs=EPOCHS)
train = recipe.dataset(seed=SEED)
held_out = recipe.validation_dataset(seed=SEED)
test = kg.load_images(recipe.source, split="test")
binary = {"value_range": (0, 1), "binarize": "dynamic", "seed": SEED}
drawn = kg.image_dataset(test, batch_size=len(test), labels=True, **binary)
images, labels = (each.numpy() for each in next(iter(drawn)))
ten = [np.flatnonzero(labels == digit)[0] for digit in range(10)]
height, width, _ = images[0].shape
places = np.arange(height * width).reshape(height, width)
print(images.shape, np.unique(images))
kg.plotting.plot_images(images[ten], columns=10)

# %% [markdown]
# ## Pixels one after another
#
# Any probability of several things is a product: of the first, of the second
# given the first, and so on. Take the pixels row by row, from the left to the
# right, as one reads:
#
# $$\log p(x) = \sum_{i=1}^{784} \log p(x_i \mid x_1, \dots, x_{i-1}).$$
#
# Nothing is approximated. All that is left to learn is one question, what is
# the next pixel?, and it is the question that [GPT](07_gpt.ipynb) answers of
# characters. The vocabulary is 0 and 1, and the text has 784 letters.
#
# The cheapest answer looks at nothing: a pixel is on as often as it is in
# training at its place. That is the number to beat.

# %%
share = (train.examples.images / 255.0).mean(axis=0).clip(1e-4, 1 - 1e-4)
alone = Bernoulli(np.log(share / (1 - share)).astype("float32")[None])
nats_alone = -alone.log_prob(images).numpy()  # summed over 784 pixels
print(f"each pixel alone  {nats_alone.mean():6.1f} nats an image")
print(f"784 coins         {784 * np.log(2):6.1f}")

# %% [markdown]
# ## The network
#
# One pass must answer 784 questions at once, and no answer may see what it is
# asked for. A convolution sees a square around each pixel; a **mask** on its
# kernel leaves the part that has been read already.
#
# What has been read is not a rectangle: all rows above, and the row itself as
# far as the pixel. Convolutions that have this form in one kernel, layer upon
# layer, leave a blind spot on the right above. So there are two stacks: the
# **vertical** one sees the rows above, the **horizontal** one what is on the
# left, and it is told in every layer what the vertical one knows. Their masks:
# blue is seen, grey is not, red is the place of the pixel, and violet where it
# may be seen itself.

# %%
model = recipe.model(train, seed=SEED)


def coloured(seen, row, column):
    """Blue as much as a place is seen, and the pixel itself in red."""
    blue, red = np.array([0.2, 0.45, 0.8]), np.array([0.85, 0.2, 0.2])
    picture = 0.9 + np.asarray(seen, float)[..., None] * (blue - 0.9)
    itself = picture[row, column]
    picture[row, column] = 0.5 * (red + itself) if seen[row, column] else red
    return picture


stacks = {
    "vertical, layer 1": model.first_vertical,
    "vertical, later": model.blocks[0].vertical,
    "horizontal, layer 1": model.first_horizontal,
    "horizontal, later": model.blocks[0].horizontal,
}
pictures = []
for layer in stacks.values():
    rows, columns = layer.mask.shape
    picture = np.ones((13, 13, 3))  # of the largest kernel
    top, left = 6 - rows // 2, 6 - columns // 2
    picture[top : top + rows, left : left + columns] = coloured(
        layer.mask, rows // 2, columns // 2
    )
    pictures.append(picture)
kg.plotting.plot_images(pictures, list(stacks), columns=4)

# %% [markdown]
# The first layer is strict: it reads the pixels, and leaves out the row, or
# the pixel, that it speaks for. Later layers read what the first ones wrote
# at the same place, where nothing is that may not be seen. So they need not
# be strict. A taller reach comes from *dilation*: the taps of a kernel stand
# 1, 2, 4, ... pixels apart.
#
# Each layer after the first is **gated**: one half of its channels says
# something, the other half says how much of it passes,
#
# $$y = \tanh(a) \cdot \sigma(b),$$
#
# a product of two features, for which sums and ReLUs need many layers.

# %%
a, b = 2.0, np.array([-3.0, 0.0, 3.0])
print("what passes of 2:", (np.tanh(a) * ops.sigmoid(b)).numpy().round(2))

# %% [markdown]
# Is the promise kept? The slope of what is said of pixel $i$ with respect to
# pixel $j$ must be exactly 0 for every $j \ge i$: for the future, and for the
# pixel itself. (A new network's layers add nothing yet, so that weights are
# drawn here, to switch all of them on.)


# %%
def influence(model, image):
    """How much each pixel (columns) moves what is said of each (rows)."""
    slopes = []
    for row in places:  # a row of answers at once: a copy of the image each
        copies = tf.constant(np.repeat(image[None], width, axis=0))
        with tf.GradientTape() as tape:
            tape.watch(copies)
            logits = ops.reshape(model.pixels(copies).logits, (width, -1))
            answers = tf.linalg.diag_part(tf.gather(logits, row, axis=1))
        slopes.append(ops.reshape(tape.gradient(answers, copies), (width, -1)))
    return np.abs(np.concatenate(slopes))


random = np.random.default_rng(SEED)
switched_on = recipe.model(train, seed=SEED)
for weight in switched_on.trainable_variables:
    weight.assign(random.normal(0, 0.1, weight.shape))
moves = influence(switched_on, images[0])
print("of the future and itself:", np.triu(moves).sum())
print(f"of the past: {(moves[np.tril_indices(784, -1)] > 0).mean():.0%} seen")

# %%
asked = [(6, 22), (14, 14), (22, 8), (27, 27)]
kg.plotting.plot_images(
    [
        coloured(moves[places[place]].reshape(height, width) > 0, *place)
        for place in asked
    ],
    [f"pixel {row}, {column}" for row, column in asked],
    columns=4,
)

# %% [markdown]
# No blind spot, and nothing of the future. What is far away is not seen: that
# is a choice of the depth, not of the masks.
#
# ## Fit
#
# A step is the negative log-likelihood and its gradient; nothing is drawn,
# nothing is bounded. Kernels are kept as matrices, from all that a tap sees to
# all that it gives, because the optimizer is GPT's, **Muon**.

# %%
history = model.fit(
    train, validation_data=held_out, epochs=recipe.epochs, verbose=0
).history
kg.plotting.plot_history({key: history[key] for key in ("loss", "val_loss")})

# %% [markdown]
# ## Sample
#
# Draw a pixel, read it, draw the next: it is the loop that writes text and
# music, with two tokens. And as with text, what was computed for earlier
# pixels is kept. A finished row goes through the vertical stack once, a pixel
# through the horizontal one once, so that an image costs a few passes over it,
# and not 784.

# %%
samples = model.generate(40, seed=1)
kg.plotting.plot_images(samples, columns=10)

# %% [markdown]
# A pixel is drawn for good. One stroke in a place where no digit has it cannot
# be taken back, and what comes after makes the best of it: most of these are
# digits, some are something that begins like one and ends like another.
#
# **The usual form** predicts the whole image for every pixel, and throws away
# all but one of the answers. Here it is, for a few pixels, with their time
# multiplied; that each costs the same is plain from the loop. (Seconds depend
# on the machine and on what else it does; that the loop is more than a hundred
# times as fast does not.)


# %%
def predict_a_pixel(model, images, pixels, seed):
    """Draws these pixels of images, a whole `predict` for each of them."""
    random = np.random.default_rng(seed)
    images = images.copy()
    for row, column in pixels:
        means = model.predict_on_batch(images)
        chance = means[:, row, column]
        images[:, row, column] = random.random(chance.shape) < chance
    return images


blank = np.zeros((SAMPLES, *model.image_shape), "float32")
predict_a_pixel(model, blank, [(0, 0)], SEED)  # traces
start = time.monotonic()
predict_a_pixel(model, blank, [(5, 5), (14, 14), (23, 23)], SEED)
theirs = (time.monotonic() - start) / 3 * height * width
start = time.monotonic()
many = model.generate(SAMPLES, seed=SEED)
ours = time.monotonic() - start
print(
    f"{SAMPLES} samples, a predict a pixel: {theirs:.0f} s (3 pixels x 784/3)"
)
print(f"{SAMPLES} samples, one loop:          {ours:.1f} s")

# %% [markdown]
# ### Completion
#
# A prompt, for images: pixels that are known are read and not drawn. Held-out
# digits, the lower half covered, and four ways in which each goes on:

# %% tags=["picture"]
known = np.repeat(np.arange(height) < height // 2, width).reshape(height, width)
rows = {
    "held out": images[ten],
    "given": np.where(known[..., None], images[ten], 0.5),
}
for seed in range(1, 5):
    rows[f"drawn, seed {seed}"] = model.complete(images[ten], known, seed)
kg.plotting.plot_rows(rows)

# %% [markdown]
# Where the upper half leaves no choice, the four agree; where it leaves one,
# they take different ways. Are they as likely as the truth? The chain rule
# answers that as well: the nats of the lower pixels are
# $-\log p(\mathrm{lower} \mid \mathrm{upper})$.


# %%
def nats_of_pixels(model, images):
    """-log p(x_i | those before it): `(count, height, width)`."""
    terms = model.pixels(images).log_prob_per_dimension(images)
    return -ops.convert_to_numpy(terms)[..., 0]


for name, shown in (
    ("held out", images[:200]),
    ("drawn", model.complete(images[:200], known, SEED)),
):
    lower = nats_of_pixels(model, shown)[:, ~known].sum(axis=1)
    error = lower.std() / np.sqrt(len(lower))
    print(f"lower half, {name:9} {lower.mean():.1f} +- {error:.1f} nats")

# %% [markdown]
# ### The digit one asks for
#
# With labels, each layer adds a vector of the digit before its gates. One
# column a digit:

# %%
labelled = dataclasses.replace(
    recipe, epochs=LABEL_EPOCHS, model_arguments={"num_classes": 10}
)
labelled_train = labelled.dataset(seed=SEED)
conditional = labelled.model(labelled_train, seed=SEED)
conditional.fit(labelled_train, epochs=labelled.epochs, verbose=0)
asked_for = np.tile(np.arange(10), 4)
kg.plotting.plot_images(
    conditional.generate(labels=asked_for, seed=1), columns=10
)

# %% [markdown]
# Most are what was asked for, and some are not: they turn into something else
# on the way, 2s and 4s above all. Five epochs are short for ten classes.
#
# ## Evaluate
#
# One pass an image, and the number is exact.

# %% tags=["expected"]
exact = -model.log_prob(images)
given_label = -conditional.log_prob(images, labels)
for name, nats in (
    ("each pixel alone", nats_alone),
    ("PixelCNN", exact),
    ("PixelCNN, given the digit", given_label),
):
    error = nats.std() / np.sqrt(len(nats))
    bits = nats.mean() / np.log(2)
    print(
        f"{name:26} {nats.mean():6.1f} +- {error:.1f} nats an image, "
        f"{bits / 784:.3f} bits a pixel"
    )
print(f"its own samples            {-model.log_prob(many).mean():6.1f}")

# %% [markdown]
# Samples cost the model what digits cost it: it is as uncertain as it should
# be. The VAE of page 4 needs some 95 or fewer for these digits (binarised by
# other draws): a bound does not say how many fewer. The published PixelCNN has
# 81.3, from the full MNIST and much longer training; this one has learned from
# 4,500 digits, and the two curves above begin to part.
#
# **Bits are bytes.** An arithmetic coder that asks the model for each pixel's
# probability writes $-\log_2 p(x)$ bits, and can be read back. Beside it a
# program that packs all held-out digits into one file:

# %%
packed = lzma.compress(np.packbits(images.astype(bool)).tobytes())
print(f"PixelCNN {exact.mean() / np.log(2) / 8:5.1f} bytes an image")
print(f"LZMA     {len(packed) / len(images):5.1f}")
print(f"raw      {784 / 8:5.1f}")

# %% [markdown]
# **Which pixels cost?** White is 3 nats, a pixel that the model gave a
# probability of 0.05; black is what it was sure of.

# %%
surprise = nats_of_pixels(model, images)
kg.plotting.plot_rows(
    {
        "digit": images[ten],
        "surprise": np.clip(surprise[ten, ..., None] / 3.0, 0, 1),
    }
)

# %%
dear = np.sort(surprise.reshape(len(images), -1))[:, ::-1]
half = (np.cumsum(dear, axis=1) < dear.sum(axis=1, keepdims=True) / 2).sum(1)
print(f"half of the nats are in {half.mean():.0f} of 784 pixels")

# %% [markdown]
# The ground is free, and so is the inside of a stroke. What costs is its edge:
# where a stroke begins and where it ends, and the raggedness that binarising
# makes of grey, which nobody could know.
#
# **Is this a digit?** The same held-out digits, changed a little. Beside the
# mean, how many of them became less likely:

# %%
flip = np.random.default_rng(SEED).random(images.shape) < 0.01
for name, changed in (
    ("upside down", images[:, ::-1]),
    ("mirrored", images[:, :, ::-1]),
    ("four pixels down", np.roll(images, 4, axis=1)),
    ("1 % of pixels flipped", np.where(flip, 1 - images, images)),
    ("black and white swapped", 1 - images),
    ("nothing drawn at all", np.zeros_like(images)),
):
    nats = -model.log_prob(changed)
    print(f"{name:24} {nats.mean():7.1f} nats, {(nats > exact).mean():4.0%}")

# %% [markdown]
# Each change is noticed in nearly every digit, except the last one: an empty
# image is likelier than nearly all of them. That is no mistake. A single image
# can be more likely than any typical one and yet be hardly ever drawn, as the
# text of temperature 0 is no typical text. Whoever looks for strange images
# must look for nats that are too *few* as well.
#
# **Which digit is this?** The conditional model gives $p(x \mid y)$ for every
# label, and Bayes' rule turns it around: with labels equally likely, the most
# probable digit is the one under which the image is cheapest. Nobody trained
# a classifier.

# %%
under_each = np.stack(
    [
        conditional.log_prob(images, np.full(len(images), label))
        for label in range(10)
    ],
    axis=1,
)
right = (under_each.argmax(axis=1) == labels).mean()
print(f"{right:.1%} of held-out digits are classified correctly")

# %% [markdown]
# ## Export and reload

# %%
import tempfile

folder = tempfile.TemporaryDirectory()
model.save(f"{folder.name}/pixelcnn.keras")
print("loaded:", kg.load_model(f"{folder.name}/pixelcnn.keras").optimizer.name)

path = model.export(f"{folder.name}/served")
print(f"difference {kg.export.check_saved_model(path, model):.1g}")
served = tf.saved_model.load(path).signatures
print(sorted(served))
answer = served["complete"](
    images=tf.constant(images[:5]),
    known=tf.constant(np.repeat(known[None], 5, axis=0)[..., None]),
    seed=tf.constant(1),
)["images"]
nats = -served["log_prob"](images=tf.constant(images[:5]))["log_prob"]
again = model.complete(images[:5], known, 1)
print("completed alike:", np.array_equal(answer, again))
print("nats", nats.numpy().round(1), "and", exact[:5].round(1))

# %% [markdown]
# ## What goes wrong
#
# **The mask, written into the weights.** It is tempting to set the masked
# weights to 0 when the layer is made, and to convolve as ever. The initial
# network is then right to the last digit. But the gradient of a masked weight
# is not 0, and after the first step neither is the weight.


# %%
class MaskedOnce(type(model.first_vertical)):
    """Convolves with its whole kernel, of which a part was 0 at first."""

    def call(self, x):
        shape = (*self.mask.shape, x.shape[-1], self.filters)
        kernel = ops.reshape(self.kernel, shape)
        return self.bias + ops.conv(
            x, kernel, padding="same", dilation_rate=self.dilation
        )


mistaken = recipe.model(train, seed=SEED)
convolutions = [mistaken.first_vertical, mistaken.first_horizontal]
for block in mistaken.blocks:
    convolutions += [block.vertical, block.horizontal]
for layer in convolutions:
    mask = np.repeat(layer.mask, layer.kernel.shape[0] // layer.mask.size)
    layer.kernel.assign(layer.kernel * mask[:, None])
    layer.__class__ = MaskedOnce

before = np.triu(influence(mistaken, images[0])).sum()
print("slopes of the future, new:    ", before)
claimed = mistaken.fit(train, epochs=MISTAKE_EPOCHS, verbose=0).history["loss"]
after = np.triu(influence(mistaken, images[0])).sum()
print(f"slopes of the future, trained: {after:.0f}")
print(f"nats an image, mean of the last epoch: {claimed[-1]:.1f}")

# %% [markdown]
# It looks like a triumph, and it came at once. But there is a floor that no
# model can pass on average. The held-out digits were *drawn* from grey ones,
# and whoever knew every grey level would still pay for the coins:
#
# $$H(x) \ge H(x \mid \mathrm{grey}) =
#   -\sum_i g_i \log g_i + (1 - g_i) \log (1 - g_i).$$

# %%
grey = np.clip(test.images / 255.0, 1e-12, 1 - 1e-12)
coins = -grey * np.log(grey) - (1 - grey) * np.log(1 - grey)
print(f"floor          {coins.sum(axis=(1, 2, 3)).mean():6.2f} nats an image")
print(f"honest         {exact.mean():6.2f}")
print(
    f"masked once    {nats_of_pixels(mistaken, images).sum((1, 2)).mean():6.2f}"
)

# %% [markdown]
# Below the floor a model is not good, it is peeping: it copies the pixel that
# it is asked for. Drawing tells, because a pixel that is to be drawn is not
# there yet:

# %%
start = np.zeros((10, *model.image_shape), "float32")
every_pixel = [divmod(place, width) for place in range(height * width)]
nonsense = predict_a_pixel(mistaken, start, every_pixel, SEED)
kg.plotting.plot_rows({"masked always": many[:10], "masked once": nonsense})

# %% [markdown]
# Nothing to copy: the empty canvas stays empty. The package multiplies by the
# mask in every call, and a test of it takes the gradient that this page has
# taken.
#
# ## What we learned
#
# - The chain rule makes one likelihood of 784 questions, and nothing of it is
#   a bound.
# - Two masked stacks see all that has been read and nothing else; a gradient
#   proves it, for the whole network.
# - Drawing needs one loop that keeps what it has computed, not a prediction of
#   the image for every pixel.
# - An exact likelihood is a file's length, a map of surprise, a judge of
#   changes and a classifier; but an empty image is likelier than
#   most digits.
# - A loss below the entropy of the data is a leak.
#
# ## Exercises
#
# 1. Cover the left half instead of the lower one. Why does the model make
#    less of what it is given on the right, and what does that say about the
#    order of the pixels?
# 2. Train with `likelihood="discretized_logistic_mixture"` on grey digits
#    (`kg.image_dataset(..., value_range=(0, 1))`). How many bits a pixel do
#    256 levels cost?
# 3. Blind the vertical stack before training: its first kernel set to 0, and
#    `model.first_vertical.trainable = False`. How many nats are the rows above
#    worth?
#
# ## References
#
# - van den Oord, Kalchbrenner and Kavukcuoglu, *Pixel recurrent neural
#   networks*, 2016.
# - van den Oord et al., *Conditional image generation with PixelCNN decoders*,
#   2016: the two stacks and the gate.
# - Salimans et al., *PixelCNN++*, 2017: the mixture of exercise 2.
# - Ramachandran et al., *Fast generation for convolutional autoregressive
#   models*, 2017: what is kept.
# - Theis, van den Oord and Bethge, *A note on the evaluation of generative
#   models*, 2016: likelihood is not likeness.
