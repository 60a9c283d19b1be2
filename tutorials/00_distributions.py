# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 0. Distributions: the parts that generative models are made of
#
# **What you will make.** Six distributions, each fitted to data by maximum
# likelihood, and out of two of them the smallest variational autoencoder there
# is: it learns one hundred numbers, and you can compute with a pencil how well
# it could do.
#
# ![Data, and the distributions fitted to them](images/00_distributions.png)
#
# Every generative model in this repository ends in one of these
# distributions: a network computes their parameters, and training raises
# their log-probability. Here the parameters are a few numbers, so that nothing
# hides what is going on.
#
# **Set-up.** `pip install -e ".[offline,tutorials]"` in a clone of the
# repository, from which the page runs. The page takes about 1 minute on two CPU
# cores and downloads nothing.
#
# **What to expect**, over 3 seeds. Log-likelihood: -1.4198 to -1.4186 nats;
# ELBO: -1.4210 to -1.4194 nats.

# %%
import keras_genai as kg

kg.prepare_tensorflow()  # oneDNN on, start-up log off; before TensorFlow

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai.distributions import (
    Bernoulli,
    Binomial,
    Categorical,
    DiscretizedLogistic,
    Multinomial,
    Normal,
)

# %% tags=["parameters"]
SEED = 0
STEPS = 600  # of each fit
VAE_EPOCHS = 1500

# %% [markdown]
# ## Data
#
# Four kinds of observations whose truth is known, because we draw them
# ourselves, and one that is real: grey levels at the centre of handwritten
# digits, and how many of a digit's pixels are inked.

# %%
random = np.random.default_rng(SEED)
digits = kg.load_images("mnist_5k").images[..., 0]
heights = random.normal(170, 8, size=(500, 1)).astype("float32")
coins = (random.random((500, 1)) < 0.3).astype("float32")
faces = random.choice(4, size=500, p=[0.1, 0.2, 0.3, 0.4])
counts = random.multinomial(20, [0.2, 0.3, 0.5], size=500).astype("float32")
levels = (digits[:, 14:15, 14] / 255.0).astype("float32")
inked = (digits > 127).sum(axis=(1, 2)).astype("float32")[:, None]

# %% [markdown]
# ## Maximum likelihood
#
# A distribution with parameters $\theta$ gives every observation a
# log-probability. To fit it is to find
#
# $$\hat\theta = \arg\max_\theta \frac1n \sum_i \log p_\theta(x_i),$$
#
# and gradient descent on the negative of it is all that training ever does
# here. Parameters are logits and logarithms of variances, so that any number
# is allowed and no step can leave the range.
#
# $$\begin{aligned}
# \text{Normal}(\mu, e^\ell):\quad & -\tfrac12 [(x - \mu)^2 e^{-\ell}
#   + \ell + \log 2\pi] \\
# \text{Bernoulli}(\sigma(l)):\quad & x l - \log(1 + e^l) \\
# \text{Categorical}:\quad & l_x - \log \textstyle\sum_k e^{l_k} \\
# \text{Binomial}(n, \sigma(l)):\quad & \log \tbinom nx + x l
#   - n \log(1 + e^l) \\
# \text{Multinomial}(n):\quad & \log \tfrac{n!}{\prod_k x_k!}
#   + \textstyle\sum_k x_k \log p_k \\
# \text{Discretised logistic}:\quad & \log \text{ of the mass in the bin of }
#   x
# \end{aligned}$$


# %%
def fit(make, start, x):
    """Raises the mean log-probability of x; returns what it found."""
    parameters = tf.Variable(start, dtype="float32")
    optimizer = keras.optimizers.Adam(0.05)

    for _ in range(STEPS):
        with tf.GradientTape() as tape:
            loss = -ops.mean(make(parameters).log_prob(x))
        optimizer.apply([tape.gradient(loss, parameters)], [parameters])
    return make(parameters), -float(loss)


# %% [markdown]
# ## Fit
#
# For all but the last the best parameters are known in closed form, which is
# what the fitted mean is printed beside.

# %%
fits = {}
standard = (heights - heights.mean()) / heights.std()  # see below
for name, make, start, x in (
    ("normal", lambda p: Normal(p[None, :1], p[1:]), [0.0, 1.0], standard),
    ("bernoulli", lambda p: Bernoulli(p[None]), [0.0], coins),
    ("categorical", lambda p: Categorical(p[None]), [0.0] * 4, faces),
    ("binomial", lambda p: Binomial(784, p[None]), [0.0], inked),
    ("multinomial", lambda p: Multinomial(20, p[None]), [0.0] * 3, counts),
    (
        "discretised logistic",
        lambda p: DiscretizedLogistic(p[None, :1], p[1:]),
        [0.5, -2.0],
        levels,
    ),
):
    fits[name], nats = fit(make, start, x)
    mean = np.array(fits[name].mean).ravel()
    print(f"{name:21} {nats:9.3f} nats, mean {mean.round(3)}", end="")
    known = np.bincount(x) / len(x) if name == "categorical" else x.mean(0)
    print("" if "logistic" in name else f", in the data {known.round(3)}")

# %% [markdown]
# Heights were *standardised* first: a mean of 170 is thousands of steps away
# from 0, and a mean of 0 with variance 1 is where networks begin. To go back
# is to multiply and add; the density then divides by the standard deviation.
#
# ## Sample
#
# A fitted distribution makes new data. What it makes shows at once where it
# cannot be true: inked pixels vary far more than independent coins would
# (neighbours go together), and grey levels pile up at both ends.


# %%
def histogram(values, edges):
    return np.histogram(values, edges, density=True)[0]


def draw(name, count=2000):
    generator = keras.random.SeedGenerator(SEED)
    return np.array([fits[name].sample(generator) for _ in range(count)])


edges = np.linspace(0, 784, 99)
kg.plotting.plot_curves(
    edges[:35],
    {
        "inked pixels of digits": histogram(inked, edges)[:35],
        "fitted binomial": histogram(draw("binomial", 500), edges)[:35],
    },
    "pixels",
    "density",
)

# %% tags=["picture"]
edges = np.linspace(-4, 4, 33)
middle = (edges[1:] + edges[:-1]) / 2
density = np.exp([fits["normal"].log_prob(x[None, None])[0] for x in middle])
kg.plotting.plot_curves(
    middle,
    {
        "heights, standardised": histogram(standard, edges),
        "fitted density": density,
        "500 draws from it": histogram(draw("normal", 500), edges),
    },
    "standard deviations",
    "density",
)

# %% [markdown]
# ## Two distributions compared
#
# $\mathrm{KL}(p \| q) = \mathbb E_p[\log p(x) - \log q(x)]$ says how many nats
# an observation costs if one takes $q$ for $p$. It is 0 for $p = q$ alone, and
# it has a direction:

# %%
gaps = np.linspace(-3, 3, 61).astype("float32")[:, None]
wide = Normal(gaps, np.full_like(gaps, np.log(4.0)))
narrow = Normal(np.zeros_like(gaps), 0.0)
kg.plotting.plot_curves(
    gaps[:, 0],
    {
        "KL(narrow || wide)": narrow.kl_divergence(wide),
        "KL(wide || narrow)": wide.kl_divergence(narrow),
    },
    "distance of the means",
    "nats",
)

# %% [markdown]
# ## The smallest VAE
#
# One hundred numbers from $\mathcal N(0, 1)$, standardised. The *decoder* says
# $p(x \mid z) = \mathcal N(wz + b, \sigma^2)$ for a code
# $z \sim \mathcal N(0, 1)$; the *encoder* says
# $q(z \mid x) = \mathcal N(ux + c, s^2)$. Training raises
#
# $$\mathrm{ELBO} = \mathbb E_q[\log p(x \mid z)]
#   - \mathrm{KL}(q(z \mid x) \,\|\, p(z)) \le \log p(x).$$
#
# Three lines of `train_step` are the three terms of the method, and
# [page 4](04_vae.ipynb) has the same three for images.


# %%
class SmallestVAE(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = keras.layers.Dense(2, kernel_initializer="zeros")
        self.decoder = keras.layers.Dense(1, kernel_initializer="ones")
        self.log_var = self.add_weight(initializer="zeros", name="log_var")
        self.seed_generator = keras.random.SeedGenerator(SEED)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.encoder.build((None, 1))
        self.decoder.build((None, 1))
        self.built = True

    @property
    def metrics(self):
        return [self.loss_tracker]

    def posterior(self, x):
        return Normal(*ops.split(self.encoder(x), 2, axis=-1))

    def elbo(self, x):
        posterior = self.posterior(x)
        z = posterior.sample(self.seed_generator)
        likelihood = Normal(self.decoder(z), self.log_var)
        kl = posterior.kl_divergence(Normal(0.0, 0.0))
        return likelihood.log_prob(x) - kl

    def train_step(self, x):
        with tf.GradientTape() as tape:
            loss = -ops.mean(self.elbo(x))
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}

    def generate(self, num_samples, seed):
        z = tf.random.stateless_normal((num_samples, 1), (seed, 0))
        noise = tf.random.stateless_normal((num_samples, 1), (seed, 1))
        return self.decoder(z) + ops.exp(0.5 * self.log_var) * noise


numbers = random.normal(size=(100, 1)).astype("float32")
numbers = (numbers - numbers.mean()) / numbers.std()
smallest = SmallestVAE()
smallest.compile(keras.optimizers.Adam(0.01))
data = tf.data.Dataset.from_tensors(numbers)
history = smallest.fit(data, epochs=VAE_EPOCHS, verbose=0, shuffle=False)
kg.plotting.plot_history(history.history)

# %% [markdown]
# ## Evaluate
#
# What could be reached? No Gaussian does better on standardised numbers than
# $\mathcal N(0, 1)$, whose mean log-density is exactly
# $-\tfrac12 (\log 2\pi + 1)$ there. And for a linear decoder the integral over
# $z$ has a closed form, $p(x) = \mathcal N(b, w^2 + \sigma^2)$, so that the
# bound can be held against what it bounds.

# %% tags=["expected"]
best = -0.5 * (np.log(2 * np.pi) + 1)
w, b = (float(weight.numpy().ravel()[0]) for weight in smallest.decoder.weights)
variance = w**2 + float(ops.exp(smallest.log_var))
exact = Normal(np.full_like(numbers, b), np.log(variance)).log_prob(numbers)
draws = np.array(smallest.elbo(np.tile(numbers, (5000, 1)))).reshape(5000, 100)
bound = draws.mean(axis=1)  # 5,000 estimates, each with a code a number
print(f"best possible       {best:.4f} nats a number")
print(f"log p(x), exact     {float(ops.mean(exact)):.4f}")
error = bound.std() / np.sqrt(len(bound))
print(f"ELBO                {bound.mean():.4f} +- {error:.4f}")
print(f"w {w:.2f}, sigma^2 {variance - w**2:.2f}, together {variance:.3f}")

# %%
generated = smallest.generate(1000, seed=1).numpy()
print("generated: mean", generated.mean().round(2), "std", generated.std())

# %% [markdown]
# ## Export and reload
#
# A function of tensors becomes a SavedModel that TensorFlow alone can run.

# %%
import tempfile

folder = tempfile.TemporaryDirectory()
kg.export.write_saved_model(
    {
        "generate": (
            lambda count, seed: {"numbers": smallest.generate(count, seed)},
            [
                tf.TensorSpec((), "int32", "count"),
                tf.TensorSpec((), "int32", "seed"),
            ],
        )
    },
    f"{folder.name}/served",
)
served = tf.saved_model.load(f"{folder.name}/served").signatures["generate"]
answer = served(count=tf.constant(1000), seed=tf.constant(1))["numbers"]
print("difference", float(np.abs(answer - generated).max()))

# %% [markdown]
# ## What goes wrong
#
# The KL term of a VAE is four short terms, and listings get each of them
# wrong. Beside an estimate by drawing, which needs no formula, the mistakes
# have nowhere to hide.

# %%
m, log_v, v = 0.8, -1.2, np.exp(-1.2)
one, prior = Normal(np.full((100_000, 1), m), log_v), Normal(0.0, 0.0)
z = one.sample(SEED)
ratios = np.array(one.log_prob(z) - prior.log_prob(z))
for name, value in (
    ("by drawing", ratios.mean()),
    ("right", -0.5 * (1 + log_v - m**2 - v)),
    ("wrong sign", 0.5 * (1 + log_v - m**2 - v)),
    ("half left out", -(1 + log_v - m**2 - v)),
    ("log-variance squared", -0.5 * (1 + log_v - m**2 - log_v**2)),
    ("variance for stddev", -0.5 * (1 + log_v / 2 - m**2 - v)),
):
    print(f"{name:21} {value:7.3f} nats")
error = ratios.std() / np.sqrt(len(ratios))
print(f"standard error of drawing {error:.3f}")

# %% [markdown]
# ## What we learned
#
# - To fit is to raise a mean log-probability; the unit is nats an example.
# - Parameters that may be any number (logits, log-variances) make gradient
#   descent safe.
# - A sample shows what a likelihood hides: pixels are not independent.
# - The ELBO touches the exact log-likelihood where the encoder can be the
#   true posterior. For a linear decoder it can.
#
# ## Exercises
#
# 1. Only $w^2 + \sigma^2$ matters to $p(x)$, and yet training settles on one
#    pair. Start from `kernel_initializer="zeros"` in the decoder: what does
#    the KL term say, and what has happened to the code?
# 2. Fit a `Normal` to the grey levels. Why is its log-density so high, and why
#    must it not be compared with the discretised logistic?
# 3. Give the encoder a fixed variance of 1. How far below $\log p(x)$ does the
#    ELBO come to lie? Compute it first.
#
# ## References
#
# - Kingma and Welling, *Auto-encoding variational Bayes*, 2014.
# - Salimans et al., *PixelCNN++*, 2017, for the discretised logistic.
# - Bishop, *Pattern recognition and machine learning*, 2006, chapter 2.
