# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 7. GPT: attention, built step by step
#
# **What you will make.** A Transformer that writes, one character after
# another, and shows where it looked while it wrote:
#
# ![Where each character looks](images/07_gpt.png)
#
# Attention is built from its parts, and its one promise, that nothing is seen
# of the future, is checked by gradient. The number is bits a character of
# text held out, beside a Markov chain. At the end two mistakes of well-known
# listings come back by a switch.
#
# **Set-up.** `pip install -e ".[offline,tutorials]"` in a clone of the
# repository, from which the page runs. The page takes about 3 minutes on two
# CPU cores and downloads nothing.
#
# **What to expect**, over 3 seeds, on one core and on two. Markov chain of
# order 5: 1.596 bits; GPT: 1.452 to 1.487 bits.

# %%
import keras_genai as kg

kg.prepare_tensorflow()  # oneDNN on, start-up log off; before TensorFlow

import dataclasses
import math

import numpy as np
import tensorflow as tf
from keras import ops

# %% tags=["parameters"]
PRESET = "default"  # "quick" ends within a minute
SEED = 0
EPOCHS = 8
NEW_TOKENS = 400  # of each text that is generated
MISTAKE_STEPS = 200  # of the run whose targets are not shifted

# %% [markdown]
# ## Data
#
# The help on Python's own language, which every Python carries along;
# `"tiny_shakespeare"` or the path of a text file would do as well. The text is
# cut in three before anything else. A window is a piece of it, and the target
# of each character is the one after it.

# %%
recipe = dataclasses.replace(
    kg.get_recipe("gpt", PRESET),
    source="python_topics",
    epochs=EPOCHS,
    model_arguments={"dropout": 0.1},  # the text is read several times
)
train = recipe.dataset(seed=SEED)
held_out = recipe.validation_dataset(like=train)
tokenizer = train.tokenizer
token_ids, targets = next(iter(train))
print(token_ids.shape, token_ids.dtype)
print("reads   ", repr(tokenizer.decode(token_ids[0])))
print("predicts", repr(tokenizer.decode(targets[0])))

# %% [markdown]
# ## Attention
#
# Each token has a vector $x_t$. From it come a **query** (what do I look
# for?), a **key** (what do I offer?) and a **value** (what do I say?), by three
# matrices. A token looks at another as much as its query agrees with the
# other's key:
#
# $$\mathrm{attention}(Q, K, V) = \mathrm{softmax}\left(
#   \frac{Q K^\top}{\sqrt d} + M\right) V,$$
#
# where $M$ is $-\infty$ for what comes later. Five tokens, vectors of eight
# numbers, line by line:

# %%
random = np.random.default_rng(SEED)
length, width = 5, 8
x = random.normal(size=(length, width)).astype("float32")
matrices = random.normal(size=(3, width, width)).astype("float32")


def attention(x, causal=True):
    query, key, value = (ops.matmul(x, matrix) for matrix in matrices)
    scores = ops.matmul(query, ops.transpose(key)) / math.sqrt(width)
    if causal:  # (length, length): row t may see columns up to t
        past = np.tril(np.ones((length, length), bool))
        scores = ops.where(past, scores, -1e9)
    weights = ops.softmax(scores)  # each row sums to 1
    return ops.matmul(weights, value), weights


out, weights = attention(x)
print(out.shape, np.round(weights, 2), sep="\n")

# %% [markdown]
# Without $\sqrt d$ the scores would grow with the width, and the softmax would
# put all on one token, where it has no slope to learn from.
#
# Does the future stay unseen? The slope of output $t$ with respect to input
# $s$ must be exactly 0 for every $s > t$. That is a stronger test than
# looking at weights, and it works for whole models:


# %%
def influence(function, x):
    """How much each row of `x` moves each row of what comes out."""
    x = tf.constant(x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        rows = tf.unstack(function(x))
    slopes = [tape.gradient(row, x) for row in rows]
    return np.abs(slopes).sum(axis=2)  # (rows out, rows in)


for causal in (True, False):
    moves = influence(lambda x, causal=causal: attention(x, causal)[0], x)
    print(f"{causal=}: of the future", np.triu(moves, k=1).sum())

# %% [markdown]
# ## The network
#
# A block adds twice to the vectors that pass: what attention saw, and what
# a small perceptron makes of it. Both read a normalised copy (pre-norm), so
# that the sum itself runs from the first layer to the last.
#
# $$x \leftarrow x + \mathrm{attention}(\mathrm{norm}(x)), \qquad
#   x \leftarrow x + \mathrm{mlp}(\mathrm{norm}(x)).$$
#
# `kg.GPT` has GPT-2's choices by `style="gpt2"` and today's by default: the
# places of tokens are told by rotating queries and keys, means are left alone
# (RMSNorm), the perceptron has a gate (SwiGLU), and queries and keys are
# normalised.

# %%
model = recipe.model(train, seed=SEED)
logits = model(token_ids)
print("token ids", token_ids.shape, "-> logits", logits.shape)
print(f"{model.count_params():,} weights")
uniform = math.log2(tokenizer.vocabulary_size)
untrained = model.evaluate(held_out, verbose=0)["bits_per_character"]
print(f"before training {untrained:.2f} bits; log2 of ids {uniform:.2f}")

# %% [markdown]
# The same check for all of it, from the vectors of twelve characters to the
# logits:

# %%
sentence = tokenizer.encode("def generate")[None]
vectors = model.embed(sentence)[0]


def network(vectors):
    x = vectors[None]
    for block in model.blocks:
        x, _ = block(x)
    return model.logits(x)[0]


moves = influence(network, vectors)
print("of the future:", np.triu(moves, k=1).sum())
print("of the past, at least:", moves[np.tril_indices_from(moves)].min())

# %% [markdown]
# ## Fit
#
# The step is the shortest in this house: logits, cross-entropy with the next
# token, gradient. What makes it quick is the optimizer. **Muon** takes the
# step of a matrix not along the gradient, of which a few directions are long
# and most are short, but along the orthogonal matrix nearest to it, so that
# all directions learn; vectors and embeddings keep Adam. The learning rate
# rises for some steps and then falls to 0.

# %%
history = model.fit(
    train, validation_data=held_out, epochs=recipe.epochs, verbose=0
).history
curves = ("bits_per_character", "val_bits_per_character")
kg.plotting.plot_history({key: history[key] for key in curves})

# %% [markdown]
# ## Sample
#
# A text goes on by drawing a token, reading it, drawing the next. Keys and
# values of what was read are kept (the cache), so that a token costs the same
# wherever it stands, and the whole loop is one compiled graph. How to draw is
# a choice:

# %%
PROMPT = "The statement "
strategies = {
    "greedy": {"temperature": 0.0},
    "beam search": {"num_beams": 4},
    "temperature 0.7": {"temperature": 0.7},
    "temperature 1": {},
    "temperature 1.5": {"temperature": 1.5},
    "top-k 5": {"top_k": 5},
    "top-p 0.9": {"top_p": 0.9},
    "min-p 0.1": {"min_p": 0.1},
}


def repeats(text, n=12):
    """The share of pieces of n characters that were there before."""
    pieces = [text[i : i + n] for i in range(len(text) - n + 1)]
    return 1 - len(set(pieces)) / len(pieces)


texts = {}
for name, choice in strategies.items():
    texts[name] = model.generate(PROMPT, NEW_TOKENS, seed=SEED, **choice)
    bits, again = model.score(texts[name]), repeats(texts[name])
    print(f"{name:16} {bits:5.2f} bits a character, {again:4.0%} said before")

# %%
for name in ("greedy", "temperature 1", "top-p 0.9"):
    print(f"--- {name}\n{texts[name][:300]}\n")

# %% [markdown]
# The likeliest text is not a likely one: greedy search and beam search fall
# into circles, at far fewer bits a character than any human text has. At
# temperature 1 its cost is nearest to that of real text; cutting off the tail
# (top-p, min-p) removes the rare slips that spoil a word.
#
# Where does it look? One map a head: row by row, the characters that the one
# on the left takes from.

# %% tags=["picture"]
phrase = "The for statement is used"
pieces = [tokenizer.decode([i]) for i in tokenizer.encode(phrase)]
maps = model.attention_maps(phrase)  # (layers, heads, length, length)
kg.plotting.plot_tokens(
    maps.reshape(-1, *maps.shape[2:]),
    pieces,
    [
        f"layer {layer + 1}, head {head + 1}"
        for layer in range(maps.shape[0])
        for head in range(maps.shape[1])
    ],
    columns=maps.shape[1],
)

# %%
distances = np.subtract.outer(np.arange(len(pieces)), np.arange(len(pieces)))
reach = (maps * np.maximum(distances, 0)).sum(-1).mean(-1)
print("characters back, on average; layers down, heads across")
print(reach.round(1))

# %% [markdown]
# ## Evaluate
#
# Bits a character of the test text, which nothing was chosen by; `score`
# slides over the text, so that each character but the first few has a long
# context. Beside it a Markov chain, which counted the same training text.

# %% tags=["expected"]
test = kg.load_text("python_topics", "test").texts[0]
markov = kg.MarkovChain(tokenizer=tokenizer, order=5)
markov.compile()
counting = kg.text_dataset(
    train.examples,
    tokenizer=tokenizer,
    sequence_length=1024,
    windows="tiled",
)
markov.fit(counting, verbose=0)
for name, each in (("Markov chain of order 5", markov), ("GPT", model)):
    print(f"{name:24} {each.score(test):.3f} bits a character")

# %% [markdown]
# ## Export and reload
#
# The export takes a string and gives a string: tokenizer, loop and cache are
# inside the graph.

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    path = model.export(Path(folder) / "served")
    print(f"difference {kg.export.check_saved_model(path, model):.1g}")
    served = tf.saved_model.load(path).signatures["generate"]
    answer = served(
        prompt=tf.constant([PROMPT]),
        max_new_tokens=tf.constant(60),
        temperature=tf.constant(0.8),
        top_k=tf.constant(0),
        top_p=tf.constant(0.9),
        seed=tf.constant(1),
    )
print(answer["text"].numpy()[0].decode())

# %% [markdown]
# ## What goes wrong
#
# **Targets that are not shifted.** A listing that forgets the shift asks for
# the token that it has just shown. The loss falls at once, and beautifully.

# %%
NOT_SHIFTED = True


def as_listed(token_ids, targets):
    return token_ids, token_ids if NOT_SHIFTED else targets


mistaken = recipe.model(train, seed=SEED)
mistaken.compile()
short = train.repeat().take(MISTAKE_STEPS)
claimed = mistaken.fit(short.map(as_listed), verbose=0).history
true = mistaken.evaluate(held_out, verbose=0)
print(f"claimed {claimed['bits_per_character'][-1]:.2f} bits a character")
print(f"true    {true['bits_per_character']:.2f}")
print(repr(mistaken.generate("The statement ", 60, seed=0)))

# %% [markdown]
# It has learned to say again what it hears.
#
# **The limit of the context.** The model looks back a certain number of
# tokens. When a text is longer, the newest ones must be kept. Listings that
# cut the window at the wrong end go on reading the beginning, and every new
# token is drawn from one and the same distribution.

# %%
KEEP_OLDEST = True
LIMIT = model.max_sequence_length


def go_on(prompt, count, keep_oldest):
    """The definition of sampling, without a cache: all is read again."""
    random = np.random.default_rng(SEED)
    token_ids = list(tokenizer.encode(prompt))
    step = tf.function(lambda window: ops.softmax(model(window)[0, -1]))
    for _ in range(count):
        window = token_ids[:LIMIT] if keep_oldest else token_ids[-LIMIT:]
        probabilities = np.array(step(tf.constant([window])), "float64")
        probabilities /= probabilities.sum()
        token_ids.append(
            int(random.choice(len(probabilities), p=probabilities))
        )
    return tokenizer.decode(token_ids)


start = test[: LIMIT - 1]
for keep_oldest in (KEEP_OLDEST, False):
    text = go_on(start, 100, keep_oldest)
    made = text[len(start) :]
    cost = model.score(start[-1] + made)
    print(f"{keep_oldest=}: {cost:.2f} bits a character\n{made!r}\n")

# %% [markdown]
# ## What we learned
#
# - Attention is a weighted mean, whose weights come from products; a mask
#   makes it causal, and a gradient proves that it is.
# - A Transformer of less than a million weights learns the manner of a text in
#   minutes, if its optimizer uses all directions of a matrix.
# - Drawing is a choice: the likeliest text is a circle, and a cut tail saves
#   words.
# - A loss that falls too well is a loss of something else.
#
# ## Exercises
#
# 1. Train with `style="gpt2"` and Adam (`model.compile(keras.optimizers.Adam(
#    1e-3))`) for the same seconds. How many bits does it lose?
# 2. Train on byte pairs (`kg.BytePairTokenizer.train(...)`, extra `bpe`).
#    Bits a *token* rise; do bits a *character* fall?
# 3. Find a head that looks one character back in most rows. What happens to
#    the bits when its part of `merge.kernel` is set to 0? And another head's?
#
# ## References
#
# - Vaswani et al., Attention is all you need, 2017.
# - Radford et al., Language models are unsupervised multitask learners, 2019.
# - Su et al., RoFormer, 2021. Shazeer, GLU variants improve Transformer, 2020.
# - Jordan et al., Muon: an optimizer for hidden layers in neural networks,
#   2024.
# - Holtzman et al., The curious case of neural text degeneration, 2020.
# - Karpathy, nanoGPT, 2022: the small GPT that many learned from.
