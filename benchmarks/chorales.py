"""Chorales: a Transformer with relative attention against Markov chains.

The claim: after 10 minutes on two cores, a sixteenth step of a held-out Bach
chorale, all four voices together, costs a `MusicTransformer` at least a
quarter less nats than the best Markov chain.

    python benchmarks/chorales.py [--seconds 600] [--seed 0]
        [--split test] [--roll FILE.png] [--json FILE] [--quick]

Both read the same tokens of the same pieces in the same keys: each training
chorale in all keys in which its voices keep their ranges, held-out ones as
they were written. Nats of all tokens, the ends of pieces included, are divided
by steps, and by notes. Then as many scores are composed as are held out, and
measured beside them: notes in the key, crossed voices, parallel fifths and
octaves; each is written as MIDI, read by `music21`, and compared note by note.

Seconds are those of training, compiling left out; the learning rate falls to
0 over them along half a cosine. The chorales are those inside the package
`music21` (extra `music`); `TFDS_DATA_DIR` is of no use here.
"""

import tempfile
import time
from pathlib import Path

from report import argument_parser, bar, leave_out_xla, publish
from timed import AnnealOverTime

import keras_genai

keras_genai.prepare_tensorflow()

import numpy as np  # noqa: E402

CHAINS = [("kneser_ney", order) for order in range(1, 9)] + [
    ("witten_bell", order) for order in range(3, 7)
]


def in_rows(scores, tokenizer, length=4096):
    """Token ids and targets: one score after another, in long rows.

    A row's first tokens have short contexts, a few in some thousands.
    """
    end = [tokenizer.end_token_id]
    parts = [
        part for score in scores for part in (tokenizer.encode(score), end)
    ]
    stream = np.concatenate([end, *parts]).astype("int32")
    rows = -(-(len(stream) - 1) // length)
    targets = np.full(rows * length, -1, "int32")
    targets[: len(stream) - 1] = stream[1:]
    token_ids = np.zeros(rows * length, "int32")
    token_ids[: len(stream) - 1] = stream[:-1]
    return token_ids.reshape(rows, length), targets.reshape(rows, length)


def markov_row(tokenizer, smoothing, order, train, held_out):
    start = time.monotonic()
    chain = keras_genai.MarkovChain(
        tokenizer=tokenizer, order=order, smoothing=smoothing
    )
    chain.compile()
    chain.fit(*train, batch_size=2, verbose=0)
    taken = time.monotonic() - start
    results = chain.evaluate(*held_out, batch_size=2, verbose=0)
    return {
        "name": f"Markov chain, order {order}, {smoothing}",
        "nats_a_step": results["nats_per_step"],
        "seconds": taken,
        "parameters": chain.count_params(),
    }


def read_by_music21(score, folder):
    """Whether music21 finds in the MIDI file the notes of the score."""
    import music21

    path = Path(folder) / "score.mid"
    keras_genai.write_midi(score, path)
    parsed = music21.converter.parse(path, forceSource=True)
    found = [
        [
            (round(4 * float(note.offset)), note.pitch.midi)
            for note in part.flatten().stripTies().notes
        ]
        for part in parsed.parts
    ]
    written = [
        [(step, pitch) for step, pitch in enumerate(voice) if pitch >= 0]
        for voice in score.events.T.tolist()
    ]
    return [sorted(part) for part in found] == written


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", default="test", help="what is held out")
    parser.add_argument("--sequence-length", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--roll", help="picture: the first score composed")
    options = parser.parse_args()
    train_split, chains, num_steps, tokenizer = "train", CHAINS, 256, None
    if options.quick:
        leave_out_xla()
        options.seconds, chains, num_steps = 0.1, CHAINS[:2], 8
        options.layers, options.sequence_length = 1, 64
        train_split, options.split = "train[:2%]", f"{options.split}[:6%]"
        # So few pieces do not have all the notes that others have.
        tokenizer = keras_genai.MusicTokenizer(
            lowest=[57, 53, 48, 36], highest=[81, 74, 69, 64]
        )

    train = keras_genai.music_dataset(
        "bach_chorales",
        train_split,
        sequence_length=options.sequence_length,
        batch_size=options.batch_size,
        tokenizer=tokenizer,
        seed=options.seed,
    )
    tokenizer = train.tokenizer
    held_out = keras_genai.load_scores("bach_chorales", options.split).scores
    steps = sum(map(len, held_out))
    notes = sum((score.events >= 0).sum() for score in held_out)

    rows = []
    in_all_keys = [
        score.transpose(semitones)
        for score in train.examples.scores
        for semitones in tokenizer.transpositions(score)
    ]
    training_rows = in_rows(in_all_keys, tokenizer)
    held_out_rows = in_rows(held_out, tokenizer)
    for smoothing, order in chains:
        row = markov_row(
            tokenizer, smoothing, order, training_rows, held_out_rows
        )
        print(f"{row['name']}: {row['nats_a_step']:.4g}", flush=True)
        rows.append(row)
    best = min(row["nats_a_step"] for row in rows)

    model = keras_genai.MusicTransformer(
        tokenizer,
        max_sequence_length=options.sequence_length,
        num_layers=options.layers,
        seed=options.seed,
    )
    model.compile()
    clock = AnnealOverTime(options.seconds, warm_up=50)
    model.fit(train, epochs=10_000, verbose=0, callbacks=[clock])
    costs = model.score(list(held_out))
    nats = float(np.average(costs, weights=list(map(len, held_out))))
    per_batch = options.batch_size * options.sequence_length
    rows.append(
        {
            "name": "MusicTransformer",
            "nats_a_step": nats,
            "seconds": options.seconds,
            "parameters": model.count_params(),
            "tokens_seen": clock.steps * per_batch,
        }
    )
    for row in rows:
        row["nats_a_note"] = row["nats_a_step"] * steps / notes

    composed, likelier = (
        model.generate(
            len(held_out), num_steps=num_steps, top_p=top_p, seed=options.seed
        )
        for top_p in (1.0, 0.9)
    )
    with tempfile.TemporaryDirectory() as folder:
        read = [read_by_music21(score, folder) for score in composed + likelier]
    rows += [
        {"name": name, "scores": len(scores)} | measures
        for name, scores in (
            ("held-out chorales", held_out),
            ("composed", composed),
            ("composed, top_p 0.9", likelier),
        )
        for measures in [keras_genai.music_measures(scores)]
    ]
    publish(
        rows,
        [
            bar("nats a step / best Markov chain", nats / best, "<=", 0.75),
            bar("MIDI files that music21 reads", np.mean(read), ">=", 1),
        ],
        options.json,
    )
    if options.roll:
        figure = keras_genai.plotting.plot_piano_roll(likelier[0])
        figure.savefig(options.roll)


if __name__ == "__main__":
    main()
