"""What `audit.py` asks PyTorch, which has an environment of its own."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def attention_layer(random, positions):
    """Inputs, our layer, and its kernels: query, key, value and output."""
    from keras_genai.layers import Attention, layer_seeds

    seeds = layer_seeds(0, "audit")
    layer = Attention(32, 4, 7, seeds, 2, positions=positions, num_layers=1)
    x = random.normal(size=(2, 7, 32)).astype("float32")
    layer.build(x.shape)
    kernels = [
        random.normal(0, 0.3, weight.shape).astype("float32")
        for weight in layer.weights
    ]
    layer.set_weights(kernels)
    project, merge = kernels
    parts = np.split(project.reshape(32, 8, 8), [4, 6], axis=1)
    return x, layer, (*parts, merge.reshape(4, 8, 32))


def cases(random, python):
    """PyTorch's answers in float64, from a process with another Python."""
    from keras_genai import distributions, losses

    given = {
        name: random.normal(size=(2, 4)).astype("float32")
        for name in ("x", "mean", "log_var", "other_mean", "other_log_var")
    }
    given["logits"] = random.normal(0, 2, (2, 5, 7)).astype("float32")
    given["targets"] = random.integers(0, 7, (2, 5))
    given["targets"][1, 2:] = -1
    given["heads"] = random.integers(0, 2, (2, 4)).astype("float32")
    given["counts"] = np.float32([[2, 0, 1, 2], [1, 1, 1, 2]])
    x, layer, (query, key, value, merge) = attention_layer(random, "learned")
    given |= {"tokens": x, "query": query, "key": key, "value": value}
    given["merge"] = merge
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "given.npz"
        np.savez(path, **given)
        subprocess.run([python, __file__, path], check=True)
        with np.load(path.with_name("answers.npz")) as file:
            answers = dict(file)
    mean, log_var = given["mean"], given["log_var"]
    normal = distributions.Normal(mean, log_var)
    other = distributions.Normal(given["other_mean"], given["other_log_var"])
    coins, others = map(distributions.Bernoulli, (mean, given["other_mean"]))
    die, other_die = map(distributions.Categorical, (mean, given["other_mean"]))
    ours = {
        "cross-entropy of real and generated": (
            losses.minimax_discriminator_loss(mean, given["other_mean"])
        ),
        "cross-entropy of the next token": (
            losses.next_token_losses(given["logits"], given["targets"])[0]
        ),
        "Normal, log_prob": normal.log_prob_per_dimension(given["x"]),
        "Normal, kl_divergence": normal.kl_per_dimension(other),
        "Bernoulli, log_prob": coins.log_prob_per_dimension(given["heads"]),
        "Bernoulli, kl_divergence": coins.kl_per_dimension(others),
        "Categorical, kl_divergence": die.kl_per_dimension(other_die),
        "Binomial, log_prob": (
            distributions.Binomial(5, mean).log_prob_per_dimension(
                given["counts"]
            )
        ),
        "Multinomial, log_prob": (
            distributions.Multinomial(5, mean).log_prob(given["counts"])
        ),
        "attention of shared keys": layer(x)[0],
    }
    for name, value in ours.items():
        yield f"{name} (PyTorch's)", value, answers[name]


def answer(path):
    """What PyTorch makes of the inputs in a file, written beside it."""
    import torch
    from torch import distributions
    from torch.nn import functional

    with np.load(path) as file:
        given = {name: torch.from_numpy(file[name]) for name in file}
    given = {
        name: value.double() if value.is_floating_point() else value
        for name, value in given.items()
    }
    kl = distributions.kl_divergence
    mean, other = given["mean"], given["other_mean"]
    normal, other_normal = (
        distributions.Normal(given[m], torch.exp(given[v] / 2))
        for m, v in (("mean", "log_var"), ("other_mean", "other_log_var"))
    )
    entropy = functional.binary_cross_entropy_with_logits
    heads = [
        torch.einsum("btm,mhd->bhtd", given["tokens"], given[name])
        for name in ("query", "key", "value")
    ]
    attended = functional.scaled_dot_product_attention(
        *heads, is_causal=True, enable_gqa=True
    )
    answers = {
        "cross-entropy of real and generated": (
            entropy(mean, torch.ones_like(mean), reduction="none")
            + entropy(other, torch.zeros_like(other), reduction="none")
        ).mean(1),
        "cross-entropy of the next token": functional.cross_entropy(
            given["logits"].transpose(1, 2),
            given["targets"],
            ignore_index=-1,
            reduction="none",
        ),
        "Normal, log_prob": normal.log_prob(given["x"]),
        "Normal, kl_divergence": kl(normal, other_normal),
        "Bernoulli, log_prob": distributions.Bernoulli(logits=mean).log_prob(
            given["heads"]
        ),
        "Bernoulli, kl_divergence": kl(
            *(distributions.Bernoulli(logits=each) for each in (mean, other))
        ),
        "Categorical, kl_divergence": kl(
            *(distributions.Categorical(logits=each) for each in (mean, other))
        ),
        "Binomial, log_prob": distributions.Binomial(5, logits=mean).log_prob(
            given["counts"]
        ),
        "Multinomial, log_prob": distributions.Multinomial(
            5, logits=mean
        ).log_prob(given["counts"]),
        "attention of shared keys": torch.einsum(
            "bhtd,hdm->btm", attended, given["merge"]
        ),
    }
    np.savez(
        path.with_name("answers.npz"),
        **{name: value.numpy() for name, value in answers.items()},
    )


if __name__ == "__main__":
    answer(Path(sys.argv[1]))
