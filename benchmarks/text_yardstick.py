"""Language models on one yardstick: bits a character of one held-out text.

The claims. On the same text and the same characters, each step from nothing
to attention is worth its bits: the characters' frequencies, Markov chains of
rising order, an LSTM, and a GPT, which after the same seconds as the LSTM is
the best of all.

    python benchmarks/text_yardstick.py [--seconds 120] [--json FILE] [--quick]

`--seconds` is what LSTM and GPT train for, each from the call of `fit` on,
compiling included; a chain takes what counting takes. All are scored on the
test split, each character but the first once: the GPT in windows that go on by
half of its context, whose newer half is scored; the LSTM in windows of 512
likewise, from an empty memory; a chain with all the context that it uses.
Generating is one prompt of a line break and 500 characters more, after a first
call. What a chain keeps is counted as its parameters.

The text is tiny Shakespeare with TFDS's own splits where `TFDS_DATA_DIR` (else
TFDS's own folder) has it, and otherwise Python's own help; nothing is
downloaded. The output says which.
"""

import dataclasses
import math
import time
from collections import Counter

from report import argument_parser, bar, leave_out_xla, publish, trace_nothing

ORDERS = range(1, 7)
NEW_TOKENS = 500
QUICK = {  # what is small enough with `--quick`
    "lstm": {
        "sequence_length": 16,
        "model_arguments": {"hidden_dim": 8, "num_layers": 1},
    },
    "gpt": {
        "sequence_length": 16,
        "model_arguments": {
            "num_layers": 1,
            "num_heads": 2,
            "hidden_dim": 8,
        },
    },
}


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    seconds = 0.1 if options.quick else options.seconds

    import keras_genai

    keras_genai.prepare_tensorflow()
    if options.quick:
        leave_out_xla()
        trace_nothing()
    train, test = texts(options.quick)
    tokenizer = keras_genai.CharacterTokenizer.from_text(train.texts[0])
    rows = list(floors(train.texts[0], test.texts[0], tokenizer))
    for order in (1, 2) if options.quick else ORDERS:
        model = keras_genai.MarkovChain(tokenizer=tokenizer, order=order)
        model.compile()
        rows.append(
            measure(
                f"Markov chain, order {order}",
                model,
                keras_genai.text_dataset(
                    train,
                    tokenizer=tokenizer,
                    sequence_length=1024,
                    windows="tiled",
                ),
                test,
                options.quick,
            )
        )
        print(rows[-1], flush=True)
    for name in ("lstm", "gpt"):
        rows.append(
            neural(name, train, test, tokenizer, seconds, options.quick)
        )
        print(rows[-1], flush=True)

    bits = {row["name"]: row["bits_per_character"] for row in rows}
    chains = [value for name, value in bits.items() if "Markov" in name]
    gpt, lstm = bits["GPT"], bits["LSTM"]
    bars = [
        bar("best chain / unigram", min(chains) / bits["unigram"], "<=", 1),
        bar("LSTM / best chain", lstm / min(chains), "<=", 1),
        bar("GPT / best chain", gpt / min(chains), "<=", 1),
        bar("GPT / LSTM", gpt / lstm, "<=", 1),
    ]
    publish(rows, bars, options.json)


def texts(quick):
    import keras_genai

    splits = ("train[:20000]", "test[:500]") if quick else ("train", "test")
    try:
        found = [
            keras_genai.load_text("tiny_shakespeare", split, offline=True)
            for split in splits
        ]
    except (ConnectionError, ValueError):
        found = [
            keras_genai.load_text("python_topics", split) for split in splits
        ]
    print(*found, sep="\n")
    return found


def floors(train, test, tokenizer):
    """What is known without any model, and from frequencies alone."""
    size = tokenizer.vocabulary_size
    counts, ids = (
        Counter(tokenizer.encode(train).tolist()),
        tokenizer.encode(test),
    )
    total = len(train) + size  # one is added to each: nothing is impossible
    nats = -sum(math.log((counts[i] + 1) / total) for i in ids.tolist())
    bits = nats / math.log(2) / len(ids)
    yield {"name": "uniform", "bits_per_character": math.log2(size)}
    yield {"name": "unigram", "bits_per_character": bits, "parameters": size}


def neural(name, train, test, tokenizer, seconds, quick):
    """A recipe, for some seconds."""
    from timed import AnnealOverTime

    import keras_genai

    recipe = keras_genai.get_recipe(name)
    if quick:
        recipe = dataclasses.replace(recipe, **QUICK[name])
    data = keras_genai.text_dataset(
        train,
        tokenizer=tokenizer,
        sequence_length=recipe.sequence_length,
        batch_size=recipe.batch_size,
        seed=0,
    )
    model = recipe.model(data, seed=0)
    model.compile(optimizer=model.make_optimizer(recipe.learning_rate))
    anneal = AnnealOverTime(seconds, warm_up=50, with_compiling=True)
    return measure(
        name.upper(),
        model,
        data,
        test,
        quick,
        epochs=10_000,
        callbacks=[anneal],
    )


def measure(name, model, data, test, quick, **fit_arguments):
    start = time.perf_counter()
    model.fit(data, verbose=0, **fit_arguments)
    seconds = time.perf_counter() - start
    count = 2 if quick else NEW_TOKENS
    model.generate("\n", count, seed=0)
    start = time.perf_counter()
    made = model.generate("\n", count, seed=1)
    rate = (len(made) - 1) / (time.perf_counter() - start)
    return {
        "name": name,
        "bits_per_character": model.score(test.texts[0]),
        "parameters": model.count_params(),
        "seconds": seconds,
        "generated_per_s": rate,
    }


if __name__ == "__main__":
    main()
