# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2. DCGAN: from digits to a model that others can run
#
# **What you will make.** A convolutional GAN that writes digits, most of which
# a person reads at once, a number for how good they are, and a SavedModel that
# runs wherever TensorFlow does:
#
# ![Digits from the generator of this page](images/02_dcgan.png)
#
# The game is that of [the first page](01_first_gan.ipynb); only the networks
# change. At the end, two mistakes of well-known listings come back by
# a switch, and you will see what each of them costs.
#
# **Set-up.** `pip install -e ".[offline,tutorials]"` in a clone of the
# repository, from which the page runs. The page takes about 2 minutes on two
# CPU cores and downloads nothing.
#
# **What to expect**, over 3 seeds. Fréchet distance: 2.5 to 6.9; floor: 2.0 to
# 3.5.

# %%
import keras_genai as kg

kg.prepare_tensorflow()  # oneDNN on, start-up log off; before TensorFlow

import keras
import numpy as np
import tensorflow as tf
from keras import ops

# %% tags=["parameters"]
PRESET = "default"  # "quick" ends within a minute
SEED = 0
CLASSIFIER_EPOCHS = 8
MISTAKE_EPOCHS = 12  # of the runs that compare right with wrong

# %% [markdown]
# ## Data
#
# The recipe is the one that `keras-genai train dcgan` runs. `source` may be
# the name of any image set of TensorFlow Datasets (`"fashion_mnist"`,
# `"cifar10"`, ...), a folder of images, a `.npz` or an array.

# %%
recipe = kg.get_recipe("dcgan", PRESET)
recipe

# %%
train = recipe.dataset(seed=SEED)
images = next(iter(train))
print(images.shape, float(ops.min(images)), float(ops.max(images)))
kg.plotting.plot_images(kg.undo_scaling(images[:20]), columns=10)

# %% [markdown]
# ## Networks
#
# A perceptron must learn for each pixel anew that strokes are strokes. A
# convolution shares its weights over the image. Radford, Metz and Chintala
# found the combination that trains:
#
# - strided convolutions instead of pooling, transposed ones in the generator,
# - BatchNorm in both networks, except where they touch pixels,
# - ReLU and a final `tanh` in the generator, LeakyReLU in the discriminator.
#
# A transposed convolution with stride 2 doubles each side. From 7x7 it takes
# **two** doublings to 28x28; listings with three end at 56x56.

# %%
model = recipe.model(train, seed=SEED)
x = keras.random.normal((1, model.latent_dim), seed=0)
for layer in model.generator.layers:
    x = layer(x)
    if layer.name.startswith(("reshape", "conv")):
        print(f"generator      {layer.name:22} {tuple(x.shape)}")
for layer in model.discriminator.layers:
    x = layer(x)
    if layer.name.startswith(("conv", "dense")):
        print(f"discriminator  {layer.name:22} {tuple(x.shape)}")

# %% [markdown]
# The generator is shallow and wide enough for strokes; the discriminator goes
# deeper, down to 2x2, because seeing the digit as a whole is what makes it
# a teacher: a discriminator of two layers, as in most listings, judges
# patches of strokes, and its generator writes strokes rather than digits.
#
# ## Fit

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
# ## Sample

# %% tags=["picture"]
kg.plotting.plot_images(model.generate(40, seed=1), columns=10)

# %% [markdown]
# ## Evaluate
#
# As on the first page: the Fréchet distance in the features of a small
# classifier, beside the floor, which is the distance between two sets of real
# digits. Precision is the share of samples that fall among real digits in
# these features, recall the share of real digits that fall among samples.

# %% tags=["expected"]
test = kg.load_images(recipe.source, split="test")
everything = kg.load_images(recipe.source, split="train")
extractor = kg.FeatureExtractor(test.image_shape, num_classes=10, seed=SEED)
extractor.fit(
    everything.images, everything.labels, CLASSIFIER_EPOCHS, verbose=0
)
accuracy = extractor.accuracy(test.images, test.labels)
print(f"classifier's accuracy on held-out digits: {accuracy:.3f}")

real = extractor.features(test.images)
count = len(real)


def measure(images):
    features = extractor.features(images)
    distance = kg.frechet_distance(real, features)
    precision, recall = kg.precision_and_recall(real, features)
    return f"{distance:8.1f} {precision:10.2f} {recall:7.2f}"


print(f"{count} images      distance  precision  recall")
print("real (floor)   ", measure(everything.images[:count]))
print("this DCGAN     ", measure(model.generate(count, seed=2)))
raw = model.generate(count, seed=2, averaged=False)
print("not averaged   ", measure(raw))

# %%
shares = kg.class_histogram(
    extractor.classify(model.generate(1000, seed=3)), num_classes=10
)
print("percent of samples:", dict(enumerate((100 * shares).round(1).tolist())))

# %% [markdown]
# ## Export and reload
#
# `save` keeps everything that training needs: both networks, the average, the
# optimizers and the state of the random generators. `export` keeps what
# others need: two signatures, in a folder that runs without this package.

# %%
import tempfile

folder = tempfile.TemporaryDirectory()
model.save(f"{folder.name}/dcgan.keras")
same = kg.load_model(f"{folder.name}/dcgan.keras")
print("saved and loaded:", same.d_optimizer.iterations.numpy(), "steps")

model.export(f"{folder.name}/served")
served = tf.saved_model.load(f"{folder.name}/served").signatures
print(sorted(served))
answer = served["serving_default"](
    num_samples=tf.constant(10), seed=tf.constant(1)
)["images"]
decoded = served["decode"](noise=tf.random.normal((3, model.latent_dim)))
difference = np.abs(answer - model.generate(10, seed=1)).max()
print("decoded", decoded["images"].shape, "difference", float(difference))

# %% [markdown]
# ## What goes wrong
#
# Each class brings one mistake back, and trains as long as the right form
# beside it.
#
# 1. **Real and generated images in one batch.** BatchNorm then normalises
#    them together: the statistics of the batch tell the discriminator about
#    the mixture, and every image's logit depends on the other kind.
# 2. **`training=True` left out.** In a custom `train_step` Keras 3 takes that
#    for inference: BatchNorm then divides by its moving statistics, which are
#    still those of the untrained network, and never learns better ones.


# %%
class MixedBatch(kg.DCGAN):
    def _update_discriminator(self, real_images, generated_images, labels):
        both = ops.concatenate([real_images, generated_images])
        with tf.GradientTape() as tape:
            logits = self.discriminator(both, training=True)
            real_logits, fake_logits = ops.split(logits, 2)
            d_losses = self._discriminator_loss(
                real_logits, fake_logits, self.label_smoothing
            )
            d_loss = ops.mean(d_losses)
        variables = self.discriminator.trainable_variables
        self.d_optimizer.apply(tape.gradient(d_loss, variables), variables)
        self._report_discriminator(d_losses, real_logits, fake_logits)


class InferenceMode(kg.DCGAN):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for network in (self.generator, self.discriminator):
            for layer in network.layers:
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.call = self.without_training(layer.call)

    @staticmethod
    def without_training(call):
        return lambda x, training=None, **rest: call(x, training=False, **rest)


# %%
pictures, titles = [], []
print(f"after {MISTAKE_EPOCHS} epochs  distance  precision  recall")
for name, family in (
    ("right", kg.DCGAN),
    ("mixed batch", MixedBatch),
    ("inference mode", InferenceMode),
):
    attempt = family(train.examples.image_shape, seed=SEED)
    attempt.compile(
        keras.optimizers.Adam(recipe.d_learning_rate, recipe.beta_1),
        keras.optimizers.Adam(recipe.g_learning_rate, recipe.beta_1),
    )
    attempt.fit(train, epochs=MISTAKE_EPOCHS, verbose=0)
    print(f"{name:15}", measure(attempt.generate(count, seed=2)))
    pictures.extend(attempt.generate(8, seed=1))
    titles.extend([name] * 8)
kg.plotting.plot_images(np.array(pictures), titles, columns=8)

# %% [markdown]
# ## What we learned
#
# - Two doublings from 7x7, checked at construction; sides that are no
#   multiple of 4 are refused.
# - Where the seconds go matters: a light generator against a discriminator
#   that sees the whole digit beats big layers near the pixels.
# - The average of the generator's weights costs milliseconds; what it is worth
#   at the end of a run, the table above says.
# - A mistake in the use of BatchNorm raises no error. It costs quality: the
#   samples show it, and the distance and recall do; precision alone does not.
#
# ## Exercises
#
# 1. Train on `"fashion_mnist"` (`--dataset fashion_mnist`, or
#    `dataclasses.replace(recipe, source=...)`). Which argument would you turn
#    first when samples stay coarse: `width`, `epochs` or the learning rates?
# 2. Add `label_smoothing=0.1`. What happens to `d_real_accuracy`, and what to
#    the distance?
# 3. Build a discriminator of two layers and hand it to `kg.GAN` with the
#    generator of `kg.DCGAN`. How much of the distance was its depth?
#
# ## References
#
# - Radford, Metz and Chintala, *Unsupervised representation learning with
#   deep convolutional generative adversarial networks*, 2016.
# - Ioffe and Szegedy, *Batch normalization*, 2015: what training and
#   inference mode mean.
# - Heusel et al., 2017, and Kynkäänniemi et al., 2019, as on the first page.
