"""How fast the LSTM trains, in characters a second, beside PyTorch's.

The claims. The default `LSTMLanguageModel` (embedding of 128, two layers of
256) trains through `fit`, on batches of 64 windows of 100 characters, at least
as fast as the same network in PyTorch (`--torch`), and faster than the same
model with `keras.layers.LSTM` in it.

    python benchmarks/lstm_speed.py [--rounds 3] [--torch PYTHON]
        [--json FILE] [--quick]

`--torch` is the path of a Python with PyTorch and NumPy in an environment of
its own; it is fed random windows of the same text from memory. What bounds all
of them is arithmetic: 35 GFLOP a step of 6,400 characters, in products of 64
rows. Keras's layer makes the products with the inputs, and the gradients of
all its weights, a time step at a time; ours makes them for the whole window
at once. The bar beside PyTorch is not met: on two cores of an AMD EPYC ours
was 0.85 times as fast.

The text is tiny Shakespeare where `TFDS_DATA_DIR` (else TFDS's own folder) has
it, and otherwise Python's own help; nothing is downloaded. The output says
which.
"""

import functools
import os
import tempfile
from pathlib import Path
from unittest import mock

from contest import (
    Stopwatch,
    contest,
    contest_parser,
    fit,
    median_ratio,
    seconds_to_time,
    summaries,
    work,
)
from report import bar, leave_out_xla, publish

BATCH_SIZE, LENGTH = 64, 100
EMBEDDING, HIDDEN, LAYERS = 128, 256, 2
QUICK_LENGTH, QUICK_HIDDEN = 4, 8


def length(quick):
    return QUICK_LENGTH if quick else LENGTH


def characters(quick):
    """How many a step takes."""
    return BATCH_SIZE * length(quick)


def stopwatch(quick):
    steps = 1 if quick else 20
    return Stopwatch(steps * characters(quick), seconds_to_time(quick))


def dataset(quick):
    """Windows of the text, of which a quick run takes the beginning."""
    import keras_genai

    keras_genai.prepare_tensorflow()
    for source in ("tiny_shakespeare", "python_topics"):
        try:
            return keras_genai.text_dataset(
                source,
                "train[:300]" if quick else "train",
                sequence_length=length(quick),
                batch_size=BATCH_SIZE,
                offline=True,
                seed=0,
            )
        except (ConnectionError, ValueError):
            if source == "python_topics":
                raise


def ours(quick, layer=None, **compile_arguments):
    """`keras_genai.LSTMLanguageModel` through `fit`."""
    import keras_genai
    from keras_genai.models.autoregressive import lstm

    data = dataset(quick)
    with mock.patch.object(lstm, "LSTM", layer or lstm.LSTM):
        model = keras_genai.LSTMLanguageModel(
            tokenizer=data.tokenizer,
            embedding_dim=EMBEDDING,
            hidden_dim=QUICK_HIDDEN if quick else HIDDEN,
            num_layers=LAYERS,
            seed=0,
        )
    model.compile(**compile_arguments)
    step = characters(quick)
    rate = fit(model, data, step * len(data), step, stopwatch(quick))
    return rate, BATCH_SIZE, str(data.examples)


def keras_layer(hidden_dim, seeds, name):
    """Keras's layer, called as ours is."""
    import keras

    class KerasLSTM(keras.layers.Layer):
        def __init__(self):
            super().__init__(name=name)
            self.lstm = keras.layers.LSTM(
                hidden_dim, return_sequences=True, return_state=True
            )

        def build(self, x_shape, state_shape):
            self.lstm.build(x_shape)

        def call(self, x, state):
            x, *state = self.lstm(x, initial_state=list(state))
            return x, tuple(state)

    return KerasLSTM()


def torch_loop(quick):
    """The same network in PyTorch, where only PyTorch and NumPy are."""
    import numpy as np
    import torch
    from torch import nn

    tokens = torch.from_numpy(np.load(os.environ["LSTM_SPEED_TOKENS"])).long()
    size = int(tokens.max()) + 1
    embedding = nn.Embedding(size, EMBEDDING)
    lstm = nn.LSTM(EMBEDDING, HIDDEN, LAYERS, batch_first=True)
    head = nn.Linear(HIDDEN, size)
    optimizer = torch.optim.Adam(
        [
            *embedding.parameters(),
            *lstm.parameters(),
            *head.parameters(),
        ],
        lr=5e-3,
    )
    watch = stopwatch(quick)
    offsets = torch.arange(length(quick) + 1)
    seen = 0
    while True:
        starts = torch.randint(len(tokens) - length(quick), (BATCH_SIZE, 1))
        windows = tokens[starts + offsets]
        logits = head(lstm(embedding(windows[:, :-1]))[0])
        loss = nn.functional.cross_entropy(
            logits.reshape(-1, size), windows[:, 1:].reshape(-1)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += characters(quick)
        if watch.tick(seen):
            return watch.rate, BATCH_SIZE, "as the others"


OURS, KERAS, PYTORCH = "ours, fit", "keras.layers.LSTM in ours", "PyTorch"
WORKERS = {
    OURS: (ours, {}),
    KERAS: (functools.partial(ours, layer=keras_layer, jit_compile=False), {}),
}
VARIANTS = {
    "ours, without XLA": (functools.partial(ours, jit_compile=False), {}),
    "keras.layers.LSTM in ours, XLA": (
        functools.partial(ours, layer=keras_layer, jit_compile=True),
        {},
    ),
}


def main():
    parser = contest_parser(__doc__)
    parser.add_argument("--torch", metavar="PYTHON")
    options = parser.parse_args()
    if options.quick:
        leave_out_xla()
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder) / "tokens.npy"
        peer = {PYTORCH: (torch_loop, {"LSTM_SPEED_TOKENS": str(tokens)})}
        if options.worker:
            return work({**WORKERS, **VARIANTS, **peer}, options)
        workers, pythons, bars = WORKERS, {}, [(OURS, KERAS, 1.0)]
        if options.torch:
            import numpy as np

            data = dataset(options.quick)
            (text,) = data.examples.texts
            np.save(tokens, data.tokenizer.encode(text))
            workers = {**WORKERS, **peer}
            pythons = {PYTORCH: options.torch}
            bars.append((OURS, PYTORCH, 1.0))
        results = contest(
            __file__, workers, VARIANTS, options, pythons, "characters"
        )
    publish(
        summaries(results, "characters"),
        [
            bar(
                f"{name} / {other}",
                median_ratio(results, name, other),
                ">=",
                bound,
            )
            for name, other, bound in bars
        ],
        options.json,
    )


if __name__ == "__main__":
    main()
