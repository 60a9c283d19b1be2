# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3. Autoencoders: what a few numbers can hold, and cleaning images with them
#
# **What you will make.** A network that squeezes a digit of 784 pixels through
# 20 numbers and brings it back, and one that takes corrupted digits and gives
# clean ones:
#
# ![Clean, corrupted and cleaned digits](images/03_autoencoders.png)
#
# At the end you will know how many decibels were won, and why an autoencoder,
# for all it can do, does not make new digits.
#
# **Set-up.** `pip install -e ".[offline,tutorials]"` in a clone of the
# repository, from which the page runs. The page takes about 3 minutes on two
# CPU cores and downloads nothing.
#
# **What to expect**, over 3 seeds. PSNR through twenty numbers: 19.91 to 20.07
# dB; PSNR, cleaned: 21.35 to 21.47 dB; PSNR, corrupted: 13.31 dB.

# %%
import keras_genai as kg

kg.prepare_tensorflow()  # oneDNN on, start-up log off; before TensorFlow

import dataclasses

import numpy as np
import tensorflow as tf
from keras import ops

# %% tags=["parameters"]
PRESET = "default"  # "quick" ends within a minute
SEED = 0
OTHER_EPOCHS = 15  # of the runs that compare corruptions
MISTAKE_EPOCHS = 45  # of those that compare right with wrong

# %% [markdown]
# ## Data
#
# 4,500 digits to learn from and 500 to measure on, none of them in both. Pixels
# are in $[0, 1]$ here: each is treated as a share of white.

# %%
recipe = kg.get_recipe("autoencoder", PRESET)
recipe

# %%
train = recipe.dataset(seed=SEED)
held_out = recipe.validation_dataset(seed=SEED)
test = kg.load_images(recipe.source, split="test")
images = (test.images / 255.0).astype("float32")
print(images.shape, images.min(), images.max())

# %% [markdown]
# ## Model
#
# The **encoder** $f$ takes an image to a code $c = f(x)$ of 20 numbers, the
# **decoder** $g$ takes it back to logits of pixels. Both are perceptrons with
# one hidden layer, 784-400-20-400-784. The loss is the cross-entropy, summed
# over pixels,
#
# $$\mathcal L = \sum_j -x_j \log \hat x_j - (1 - x_j) \log (1 - \hat x_j),
#   \qquad \hat x = \sigma(g(f(x))).$$
#
# For pixels between 0 and 1 it does not reach 0, but like the squared error it
# is least for $\hat x_j = \mathbb E[x_j]$, and its slope with respect to the
# logit is simply $\hat x_j - x_j$, which does not vanish where the network is
# confidently wrong.

# %%
model = recipe.model(train, seed=SEED)
codes = model.encoder(images[:5])
print("images", images[:5].shape, "-> codes", codes.shape)
print("codes", codes.shape, "-> logits", model.decoder(codes).shape)
losses, _, _ = model.losses_per_example(images[:5], images[:5])
print("nats an image, untrained:", np.array(losses).round(1))
print("784 ln 2 =", round(784 * np.log(2), 1), "is a coin for each pixel")

# %% [markdown]
# ## Fit

# %%
history = model.fit(
    train, validation_data=held_out, epochs=recipe.epochs, verbose=0
)
kg.plotting.plot_history(
    {key: history.history[key] for key in ("loss", "val_loss")}
)

# %% [markdown]
# The gap between the curves is what was learned by heart: 4,500 digits are not
# many.
#
# ## Sample
#
# First what the model is for: through the code and back.

# %%
kg.plotting.plot_rows(
    {"held out": images[:12], "from 20 numbers": model.reconstruct(images[:12])}
)

# %% [markdown]
# And what it is not for. Codes of digits lie wherever training left them;
# between and around them the decoder was never asked. `generate` gives the
# autoencoder its best chance: it draws codes from the normal distribution that
# has the mean and covariance of the codes seen in training.

# %%
kg.plotting.plot_images(model.generate(20, seed=0), columns=10)

# %% [markdown]
# Strokes, but few clear digits. A code of a *variational* autoencoder is made
# to be drawn: [the next page](04_vae.ipynb).
#
# ## A denoising autoencoder
#
# Corrupt the input, ask for the clean image. The corruption is drawn afresh in
# every step, inside the model, so that no pair can be learned by heart, and
# the network has to know what digits look like. This one is convolutional and
# has 128 numbers to pass on, since a whole image must come back.

# %%
denoising = kg.get_recipe("denoising_autoencoder", PRESET)
denoiser = denoising.model(train, seed=SEED)
denoiser.fit(train, epochs=denoising.epochs, verbose=0)
corrupted = np.array(denoiser.corrupt(images, seed=1))
cleaned = denoiser.denoise(corrupted)

# %% tags=["picture"]
kg.plotting.plot_rows(
    {
        "held out": images[:12],
        "noise 0.3": corrupted[:12],
        "cleaned": cleaned[:12],
    }
)

# %% [markdown]
# ## Evaluate
#
# The peak signal-to-noise ratio is $-10 \log_{10}$ of the mean squared error,
# in decibels: 10 dB more is a tenth of the error. The structural similarity
# compares small windows and is 1 where nothing differs. The floor is the
# corrupted image itself.


# %% tags=["expected"]
def quality(clean, other):
    psnr, ssim = kg.metrics.PSNR(), kg.metrics.SSIM()
    psnr.update_state(clean, other)
    ssim.update_state(clean, other)
    return f"{float(psnr.result()):6.2f} dB {float(ssim.result()):6.3f}"


print("                    PSNR      SSIM")
print("20 numbers     ", quality(images, model.reconstruct(images)))
print("corrupted      ", quality(images, corrupted))
print("cleaned        ", quality(images, cleaned))

# %% [markdown]
# Noise is one way to spoil an image. The others put black or white in the place
# of pixels, and the block takes away what often cannot be told from the rest:
# the best guess is then an average of digits, a blur.

# %%
rows, shown = {"held out": images[:10]}, 10
for corruption, level in (
    ("mask", 0.4),
    ("salt_and_pepper", 0.3),
    ("dropout", 0.5),
):
    other = dataclasses.replace(
        denoising,
        epochs=OTHER_EPOCHS,
        model_arguments={"corruption": corruption, "corruption_level": level},
    ).model(train, seed=SEED)
    other.fit(train, epochs=OTHER_EPOCHS, verbose=0)
    spoilt = np.array(other.corrupt(images, seed=2))
    mended = other.denoise(spoilt)
    name = corruption.replace("_", " ")
    rows |= {name: spoilt[:shown], f"{name}, cleaned": mended[:shown]}
    print(f"{name:16} corrupted {quality(images, spoilt)}")
    print(f"{'':16} cleaned   {quality(images, mended)}")
kg.plotting.plot_rows(rows)

# %% [markdown]
# ## Export and reload
#
# Encoder, decoder and the way through both are signatures of their own, so
# that a service can store codes and another can show them.

# %%
import tempfile

folder = tempfile.TemporaryDirectory()
denoiser.save(f"{folder.name}/denoiser.keras")
same = kg.load_model(f"{folder.name}/denoiser.keras")
print("loaded:", same.corruption, same.corruption_level)

denoiser.export(f"{folder.name}/served")
served = tf.saved_model.load(f"{folder.name}/served").signatures
print(sorted(served))
answer = served["denoise"](images=tf.constant(corrupted[:3]))["images"]
print("difference", float(np.abs(answer - cleaned[:3]).max()))

# %% [markdown]
# ## What goes wrong
#
# **The corruption drawn once.** Many listings add noise to the data set before
# training. Then every image has one corrupted twin, and a network large enough
# learns the pairs by heart: training looks better than ever, while held-out
# images, whose noise it has not seen, are cleaned less well.


# %%
class CorruptedOnce(kg.DenoisingAutoencoder):
    def corrupt(self, images, seed=None):
        if seed is not None:
            return super().corrupt(images, seed)
        # The same noise for the same image, in every epoch.
        key = ops.cast(1e3 * ops.sum(images, axis=(1, 2, 3)), "int32")
        noise = tf.map_fn(
            lambda k: tf.random.stateless_normal(self.image_shape, [k, 0]),
            key,
            fn_output_signature="float32",
        )
        return ops.clip(images + self.corruption_level * noise, 0.0, 1.0)


for name, family in (
    ("afresh every step", kg.DenoisingAutoencoder),
    ("drawn once", CorruptedOnce),
):
    attempt = family(seed=SEED)
    attempt.compile()
    log = attempt.fit(train, epochs=MISTAKE_EPOCHS, verbose=0).history
    again = quality(images, attempt.denoise(corrupted))
    print(f"{name:18} training {log['psnr'][-1]:5.2f} dB, held out {again}")

# %% [markdown]
# ## What we learned
#
# - Twenty numbers hold a digit; what they cannot hold comes back as blur,
#   because the best guess is an average.
# - Fresh corruption is free data: the training set never repeats.
# - A number needs its floor: the cleaned images count from the corrupted ones.
# - Codes that nobody arranged cannot be drawn from.
#
# ## Exercises
#
# 1. Train with `latent_dim=2` and draw the codes with
#    `kg.plotting.plot_codes`. Where do digits overlap?
# 2. Hand in an encoder and a decoder without hidden layers. Which classical
#    method have you rebuilt, and how many decibels are the hidden layers
#    worth?
# 3. Clean images with twice the noise that was trained on, and with half of
#    it. What does the network do with images that are clean already?
#
# ## References
#
# - Hinton and Salakhutdinov, *Reducing the dimensionality of data with neural
#   networks*, 2006.
# - Vincent et al., *Extracting and composing robust features with denoising
#   autoencoders*, 2008.
# - Wang et al., *Image quality assessment: from error visibility to structural
#   similarity*, 2004.
