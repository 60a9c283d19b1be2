# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 8. Evaluating samples: numbers for fidelity and for diversity
#
# **What you will make.** A report on a generator that fits on one screen: how
# good its samples are, how varied, whether they are copies; each number with
# its interval and with what real images would get in the samples' place:
#
# ![The measures of a DCGAN, and its samples](images/08_evaluating_samples.png)
#
# On the way you write the Fréchet distance yourself, see why it means nothing
# without its count, and hand each measure a set made to deceive it. Nothing is
# downloaded: the features come from a small classifier of the data at hand,
# which is why the distance is not called FID.
#
# **Set-up.** `pip install -e ".[offline,tutorials]"` in a clone of the
# repository, from which the page runs. The page takes about 2 minutes on two
# CPU cores and downloads nothing.
#
# **What to expect**, over 3 seeds, on one core and on two. Fréchet distance,
# DCGAN: 6.29 to 16.97; Fréchet distance, VAE: 39.47 to 65.79; floor: 2.77 to
# 4.61.

# %%
import keras_genai as kg

kg.prepare_tensorflow()  # oneDNN on, start-up log off; before TensorFlow

import dataclasses
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

# %% tags=["parameters"]
PRESET = "default"  # "quick" trains on 1,000 digits
SEED = 0
DCGAN_EPOCHS = 40
VAE_EPOCHS = 40
EXTRACTOR_EPOCHS = None  # `None` lets the package choose
BOOTSTRAPS = 100  # replicates for the intervals

# %% [markdown]
# ## Data
#
# Three roles, which must not be mixed. Models are trained on `training`. They
# are compared with `test`, which nothing on this page is trained on. And as
# many images of `training` as `test` has play the part of a perfect model:
# what they get is the **floor**.

# %%
recipe = kg.get_recipe("dcgan", PRESET)
recipe = dataclasses.replace(recipe, epochs=DCGAN_EPOCHS)
train = recipe.dataset(seed=SEED)
training = train.examples
test = kg.load_images(recipe.source, split="test")
count = len(test)
print(f"{len(training)} digits to train on, {count} held out")

# %% [markdown]
# Distances between pixels say little: a digit moved by two pixels is far from
# itself. So images are compared in the **features** of a network: the last
# hidden layer of a classifier that was trained to tell these classes apart.
# `for_data` trains it once and keeps it on disk, by the digest of the data.
# This page sends it to a temporary folder, to leave nothing behind. Without
# that line it stays in `~/.cache/keras_genai` for all your runs.

# %%
folder = tempfile.TemporaryDirectory()
os.environ["KERAS_GENAI_CACHE"] = folder.name
for attempt in ("trained", "from disk"):
    start = time.monotonic()
    extractor = kg.FeatureExtractor.for_data(
        training, seed=SEED, epochs=EXTRACTOR_EPOCHS, verbose=0
    )
    print(f"{attempt}: {time.monotonic() - start:.1f} seconds")
accuracy = extractor.accuracy(test.images, test.labels)
print(f"{extractor.name}, {extractor.feature_dim} features")
print(f"its accuracy on held-out digits: {accuracy:.3f}")

# %% [markdown]
# ## Fit
#
# Two models of different temper: a GAN, which may forget a part of the data,
# and a VAE, which may blur it. Both runs are short, for the subject here is
# the measuring.

# %%
model = recipe.model(train, seed=SEED)
model.fit(train, epochs=recipe.epochs, verbose=0)

vae_recipe = kg.get_recipe("vae", PRESET)
vae_recipe = dataclasses.replace(vae_recipe, epochs=VAE_EPOCHS)
vae_train = vae_recipe.dataset(seed=SEED)
vae = vae_recipe.model(vae_train, seed=SEED)
vae.fit(vae_train, epochs=vae_recipe.epochs, verbose=0)
print("DCGAN and VAE are trained")

# %% [markdown]
# ## Sample
#
# As many samples as there are held-out digits, all from one seed. Samples are
# never picked by hand: what is measured must be what the model makes.

# %%
samples = {
    "DCGAN": model.generate(count, seed=1),
    "VAE": vae.generate(count, seed=1),
}
kg.plotting.plot_rows(
    {"held out": test.images[:10] / 255}
    | {name: images[:10] for name, images in samples.items()}
)

# %% [markdown]
# ## Evaluate
#
# ### The Fréchet distance
#
# Fit a Gaussian to the features of each set: means $m_a, m_b$ and covariances
# $C_a, C_b$. The squared Fréchet distance of the two is
#
# $$d^2 = |m_a - m_b|^2
#   + \mathrm{tr}\left(C_a + C_b - 2\,(C_a C_b)^{1/2}\right).$$
#
# The root of a product of matrices looks worse than it is. Its eigenvalues
# are the singular values of $C_a^{1/2} C_b^{1/2}$, so that its trace is their
# sum, the *nuclear norm*. The field calls $d^2$, without a root, the distance.


# %% tags=["expected"]
def square_root(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def by_hand(a, b):
    gap = a.mean(axis=0) - b.mean(axis=0)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    product = square_root(cov_a) @ square_root(cov_b)
    root_trace = np.linalg.norm(product, "nuc")  # tr (C_a C_b)^(1/2)
    return gap @ gap + np.trace(cov_a) + np.trace(cov_b) - 2 * root_trace


real = extractor.features(test.images)  # (count, feature_dim)
of_training = extractor.features(training.images)
floor = of_training[:count]
of_samples = {name: extractor.features(x) for name, x in samples.items()}
for name, features in {"real (floor)": floor, **of_samples}.items():
    distance = kg.frechet_distance(real, features)
    error = abs(by_hand(real, features) - distance)
    print(f"{name:13} {distance:8.2f}, by hand the same: {error < 1e-6}")

# %% [markdown]
# Real against real is not 0. Part of that is luck, but most of it is **bias**:
# two small sets differ in their covariances even if they come from one source,
# and each difference adds to the distance, none takes away. The training
# images in two random halves, and the halves in ever smaller parts, show it:

# %%
order = np.random.default_rng(SEED).permutation(len(training))
half = len(order) // 2
halves = of_training[order[:half]], of_training[order[half : 2 * half]]
numbers = [n for n in range(1, 17) if half // n >= 2 * real.shape[1]]
sizes, frechet, kernel = [], [], []
print("     n   Fréchet    kernel")
for number in numbers:
    parts = [np.array_split(features, number) for features in halves]
    pairs = list(zip(*parts, strict=True))
    sizes.append(half // number)
    frechet.append(np.mean([kg.frechet_distance(*p) for p in pairs]))
    kernel.append(np.mean([kg.kernel_distance(*p).value for p in pairs]))
    print(f"{sizes[-1]:6} {frechet[-1]:9.2f} {kernel[-1]:9.2f}")

# %% [markdown]
# Nothing changed but $n$. The bias falls as $1/n$, so over $1/n$ the distances
# lie on a line, and where the line meets $1/n = 0$ one reads the distance of
# sets without end: here about 0, as it must be for one source. It is an
# estimate, and may come out a little below.

# %%
inverse = 1 / np.array(sizes)
slope, at_infinity = np.polyfit(inverse, frechet, deg=1)
print(f"the line: {at_infinity:.2f} + {slope:.0f} / n")
extrapolated = kg.frechet_distance_extrapolated(*halves, num_sizes=len(sizes))
print(f"kg.frechet_distance_extrapolated: {extrapolated:.2f}")
kg.plotting.plot_curves(
    [0, *inverse],
    {
        "real to real": [np.nan, *frechet],
        "the line": at_infinity + slope * np.array([0, *inverse]),
    },
    "1 / n",
    "Fréchet distance",
)

# %% [markdown]
# A distance without its $n$ and its floor therefore means nothing.
#
# The **kernel distance** in the last column has no such bias. It averages
# a kernel over pairs, $E\,k(a, a') + E\,k(b, b') - 2\,E\,k(a, b)$ with
# $k(x, y) = (x \cdot y / \mathrm{dim} + 1)^3$, and never pairs a point with
# itself. So for sets of one source it stays about 0 at every $n$, and is
# often below. Its scale is another one: compare it with its own kind alone.
#
# ### Fidelity and diversity apart
#
# One distance cannot tell what is wrong. Five sets to try the measures on, the
# last four with a known illness:

# %%
rng = np.random.default_rng(SEED)


def noisy(images, stddev):
    noise = stddev * rng.standard_normal(images.shape)
    return (images + noise).clip(0, 1).astype("float32")


digits = (training.images[:count] / 255).astype("float32")
labels = training.labels[:count]
halves_of_two = digits.copy()
halves_of_two[:, :, 14:] = digits[::-1, :, 14:]
one_each = np.stack([digits[labels == c][0] for c in range(10)])
sets = {
    "real (floor)": digits,
    "one image": noisy(np.repeat(digits[:1], count, axis=0), 0.02),
    "one a class": noisy(np.resize(one_each, digits.shape), 0.02),
    "two halves": halves_of_two,
    "noisy": noisy(digits, 0.3),
}
kg.plotting.plot_rows({name: images[:10] for name, images in sets.items()})

# %% [markdown]
# Around each real image lies a ball that reaches its $k$-th nearest real
# neighbour. **Precision** is the share of samples that lie in some ball,
# **density** counts in how many they lie, **coverage** is the share of balls
# that hold a sample. **Recall** turns the roles round: the share of real images
# that lie in the balls of samples.

# %%
described = {name: extractor.describe(images) for name, images in sets.items()}
print(f"{count} images   Fréchet  kernel  precision recall density coverage")
for name, (features, _) in described.items():
    distance = kg.frechet_distance(real, features)
    kernel = kg.kernel_distance(real, features, block_size=count // 10)
    precision, recall = kg.precision_and_recall(real, features)
    density, coverage = kg.density_and_coverage(real, features)
    print(
        f"{name:13} {distance:8.1f} {kernel.value:7.1f} {precision:10.2f}"
        f" {recall:6.2f} {density:7.2f} {coverage:8.2f}"
    )

# %% [markdown]
# - **One image** is a perfect forgery, so precision has nothing to say against
#   it. Density tells only how crowded the place is where that image lies.
#   Recall and coverage fall to about 0.
# - **One a class** passes for much better by its distance alone. Recall is not
#   deceived: ten tiny clouds have tiny balls. Coverage asks only whether
#   a real image has a sample near, and grants each cloud its surroundings.
# - **Two halves** of different digits are as varied as the data, and most are
#   no digit. Precision, density and coverage fall. Recall hardly does: odd
#   samples lie far apart, and their wide balls swallow real images. That is
#   a weakness, and the reason why coverage uses balls of real images only.
# - **Noisy** digits are a lesson in humility. A person sees at once what is
#   wrong with them; precision and density do not, since the classifier reads
#   through noise, and leaves these digits within the balls of real ones. Here
#   the measures of diversity sound the alarm about a fault of fidelity. So
#   the numbers find faults together, and cannot name them alone: look at
#   samples, too.
#
# ### The classifier score
#
# How sure is the classifier of each sample, and how varied are its answers?
#
# $$\exp E\,\mathrm{KL}(p(y \mid x) \,\|\, p(y)), \qquad
#   \text{from 1 to the number of classes.}$$

# %%
print("               score  class entropy (at most ln 10 = 2.303)")
for name, (_, probabilities) in described.items():
    score = kg.classifier_score(probabilities)
    shares = kg.class_histogram(probabilities.argmax(axis=1), num_classes=10)
    print(f"{name:13} {score:7.2f} {kg.class_entropy(shares):7.3f}")

# %% [markdown]
# *One a class* scores as high as real digits, or higher. The score never looks
# at the data; within a class it is blind to copies. Use it for what it says,
# whether samples are of clear and even classes, and never alone.
#
# ### Memorised?
#
# The best precision belongs to a thief who hands out training images. The test
# looks at each sample's nearest and second nearest training image: a copy is
# **much** nearer to one of them, here by a factor of 3. `memorised_share`
# is the share of such samples. `neighbour_distance_ratio` compares the median
# distance to the nearest training image with that of held-out images: 1 is as
# far as unseen digits are, 0 are copies.

# %%
suspects = {
    "held out": real,
    **of_samples,
    "copies": floor,
    "faint noise": extractor.features(noisy(digits, 0.05)),
    "more noise": extractor.features(noisy(digits, 0.1)),
}
print("             share memorised  distance ratio")
for name, features in suspects.items():
    share = kg.memorised_share(features, of_training)
    ratio = kg.neighbour_distance_ratio(features, real, of_training)
    print(f"{name:12} {share:16.3f} {ratio:15.2f}")

# %% [markdown]
# Copies are caught. Copies under a little noise escape the first measure
# sooner than the second. And numbers want eyes: the samples that lie nearest to
# a training image, compared with its second nearest, above that image.

# %%
rows = {}
for name, features in of_samples.items():
    near = kg.nearest_neighbours(features, of_training)
    closest = np.argsort(near.first / near.second)[:10]
    rows[name] = samples[name][closest]
    rows[f"near {name}"] = training.images[near.indices[closest]] / 255
kg.plotting.plot_rows(rows)

# %% [markdown]
# ### All at once
#
# `evaluate_samples` does everything above in one call, with equal counts for
# samples, held-out images and floor, and with intervals of 95 %. The intervals
# come from drawing of the same images again: they say what other samples of
# *this* model, and other held-out images, would give. Another training run may
# differ by more.

# %%
results = {
    name: kg.evaluate_samples(
        generator,
        test,
        training=training,  # gives the floor, and originals to look for
        extractor=extractor,  # default: `FeatureExtractor.for_data(training)`
        seed=1,
        num_bootstraps=BOOTSTRAPS,
        verbose=0,
    )
    for name, generator in {"DCGAN": model, "VAE": vae}.items()
}
print(results["DCGAN"])

# %% [markdown]
# In the picture a bar is a value, the black line its interval, and the dashed
# red line the floor:

# %% tags=["picture"]
results["DCGAN"].figure()

# %% [markdown]
# `save` writes the picture, and a record that says how to repeat the
# measurement: the seed, the counts, the digests of data and samples.

# %%
results["DCGAN"].save(f"{folder.name}/dcgan")
record = json.loads(Path(f"{folder.name}/dcgan.json").read_text())
print(list(record))
print(json.dumps(record["measures"]["recall"], indent=2))

# %% [markdown]
# ### Which of the two is better?

# %%
print(f"{'':29} DCGAN                  VAE  intervals")
for one in results["DCGAN"].measures:
    other = results["VAE"][one.name]
    apart = one.low > other.high or other.low > one.high
    cells = [f"{m.value:.3g} ({m.low:.3g}, {m.high:.3g})" for m in (one, other)]
    verdict = "apart" if apart else "overlap"
    print(f"{one.name:29} {cells[0]:22} {cells[1]:22} {verdict}")

# %% [markdown]
# What may be said:
#
# - Where intervals are **apart**, these two trained models differ in this
#   measure by more than the choice of samples explains. Whether their
#   *families* differ takes several training runs of each.
# - Where they **overlap**, the samples do not settle it. It is no proof that
#   both are equal: more samples may tell them apart.
# - In a table of many measures, some stand apart by luck: of twenty intervals
#   of 95 %, one misses on average. Choose the measure that matters before you
#   look.
# - A value beyond its **floor** is no triumph but a warning. A recall above
#   that of real digits comes from wide balls, as *two halves* have them.
# - A model may win in fidelity and lose in diversity. Then neither is
#   "better", and both numbers must be given.
#
# At the command line the same report comes from a run folder. It is printed,
# written to `evaluation/test.json` and `.png`, and noted in `run.json`:
#
#     keras-genai train dcgan --epochs 40 --output runs/dcgan
#     keras-genai evaluate runs/dcgan
#
# ## Export and reload
#
# What others run is the export. It, too, can be measured: samples may be any
# array of images. From the same seed it must get the same numbers.

# %%
model.export(f"{folder.name}/served")
served = tf.saved_model.load(f"{folder.name}/served").signatures
answer = served["serving_default"](
    num_samples=tf.constant(count), seed=tf.constant(1)
)["images"].numpy()
again = kg.evaluate_samples(
    answer,
    test,
    training=training,
    extractor=extractor,
    seed=1,
    num_bootstraps=0,  # values without intervals
    verbose=0,
)
print("largest difference of a pixel", np.abs(answer - samples["DCGAN"]).max())
for one in again.measures:
    difference = abs(one.value - results["DCGAN"][one.name].value)
    print(f"{one.name:29} {one.value:9.3f}  difference {difference:.1e}")

# %% [markdown]
# ## What goes wrong
#
# 1. **Distances at different counts.** The very same images, cut into parts
#    and averaged over them, are called worse the smaller the parts. A number
#    of 50,000 samples beside one of 1,000 is this mistake.

# %%
kinds = {"real (floor)": floor, **of_samples}
print("images " + "".join(f"{name:>14}" for name in kinds))
for number in (4, 2, 1):
    cells = []
    for features in kinds.values():
        parts = [np.array_split(each, number) for each in (real, features)]
        pairs = zip(*parts, strict=True)
        cells.append(np.mean([kg.frechet_distance(*pair) for pair in pairs]))
    row = "".join(f"{distance:14.1f}" for distance in cells)
    print(f"{count // number:6} {row}")

# %% [markdown]
# 2. **Samples in another range, or rounded differently.** A generator that
#    ends in `tanh` gives pixels in [-1, 1], and the held-out images are in
#    [0, 1]. Handed in as they are, they are refused. Clipped, to silence the
#    error, or scaled once more than needed, they pass, and are other images.
#    Real digits show the damage, for their distance should be the floor:


# %%
def forms(images):
    wide = 2 * images - 1  # what a `tanh` gives
    return {
        "as it should be": images,
        "rounded to bytes": np.round(255 * images).astype("uint8"),
        "rounded to 0 and 1": np.round(images),
        "[-1, 1], clipped": wide.clip(0, 1),
        "scaled twice": kg.undo_scaling(images),
    }


try:
    kg.evaluate_samples(2 * digits - 1, test, extractor=extractor)
except ValueError as error:
    print(error)
both = forms(digits), forms(samples["DCGAN"])
print("                    real digits  DCGAN")
for name in both[0]:
    distances = [
        kg.frechet_distance(real, extractor.features(images[name]))
        for images in both
    ]
    print(f"{name:19} {distances[0]:11.2f} {distances[1]:6.2f}")

# %% [markdown]
#    Bytes are fine where the reference is of bytes. What only the samples
#    went through is measured as if the model had made it, and need not weigh
#    as much there as with real digits: compare the two columns.
#
# 3. **Distances from two extractors.** Another seed, the same data, the same
#    code: the classifier is as good, its space is another one.

# %%
other = kg.FeatureExtractor.for_data(
    training, seed=SEED + 1, epochs=EXTRACTOR_EPOCHS, verbose=0
)
print("                real  DCGAN    VAE  (accuracy)")
for each in (extractor, other):
    distances = [
        kg.frechet_distance(each.features(test.images), each.features(images))
        for images in (digits, *samples.values())
    ]
    accuracy = each.accuracy(test.images, test.labels)
    numbers = " ".join(f"{distance:6.1f}" for distance in distances)
    print(f"extractor {each.seed} {numbers}  ({accuracy:.3f})")

# %% [markdown]
#    Within a row one may compare, between rows one may not. The name of the
#    extractor belongs to every number, and stands under every report.
#
# ## What we learned
#
# - A number for samples needs four companions: the count, the extractor, the
#   interval and the floor.
# - The Fréchet distance is biased upwards, in proportion to $1/n$. The kernel
#   distance is not, and extrapolation takes the bias away.
# - Precision and density speak of fidelity, recall and coverage of diversity.
#   Each has a set that deceives it, so read them together.
# - The classifier score is blind to copies. Look for copies on purpose.
# - No measure sees what its features ignore. Look at samples, unpicked.
#
# ## Exercises
#
# 1. Drop half of the classes from `digits` and measure the rest. Which of the
#    numbers tell you, and which classes does `class_shares` of the result
#    name?
# 2. Let the DCGAN train on the first 100 digits only, for as many steps. Does
#    `memorised_share` rise, and is it the first measure to warn?
# 3. Train each model with three seeds. Is the spread between runs wider than
#    the intervals printed above? What does that say about tables with one run
#    a model?
#
# ## References
#
# - Heusel et al., *GANs trained by a two time-scale update rule converge to
#   a local Nash equilibrium*, 2017: the Fréchet distance of features.
# - Chong and Forsyth, *Effectively unbiased FID and Inception score and where
#   to find them*, 2020: the bias, and the extrapolation.
# - Bińkowski et al., *Demystifying MMD GANs*, 2018: the kernel distance.
# - Kynkäänniemi et al., *Improved precision and recall metric for assessing
#   generative models*, 2019.
# - Naeem et al., *Reliable fidelity and diversity metrics for generative
#   models*, 2020: density and coverage.
# - Salimans et al., *Improved techniques for training GANs*, 2016: the score.
# - Parmar, Zhang and Zhu, *On aliased resizing and surprising subtleties in GAN
#   evaluation*, 2022: what resizing and rounding do to the distance.
# - Yoon et al., *Diffusion probabilistic models generalize when they fail to
#   memorize*, 2023: the ratio test.
