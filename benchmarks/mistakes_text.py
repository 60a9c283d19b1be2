"""Mistakes in models of text and of music, each beside the right form."""

import numpy as np
from keras import ops
from mistakes_shared import fitted_chain, in_and_out, mistake

import keras_genai
from keras_genai.sampling import Choice, next_tokens


@mistake(
    15,
    "overlapping windows shuffled before they are split into training and "
    "validation",
    "the text is cut in one piece before windows are made; padding is masked "
    "and targets are shifted, which a counting text tests",
    "bits a held-out character, as claimed",
    "<=",
    "tests/test_text.py::"
    "test_no_character_of_the_test_split_is_in_training_windows",
)
def shuffled_before_the_split(lab):
    text, validation = lab.texts
    tokenizer = lab.chain.tokenizer
    token_ids = tokenizer.encode(text[:200_000])
    length, stride = 101, 50

    def windows_of(stream):
        return np.lib.stride_tricks.sliding_window_view(stream, length)[
            ::stride
        ]

    def measure(shuffle_first):
        windows = windows_of(token_ids)
        places = windows_of(np.arange(len(token_ids)))
        order = np.arange(len(windows))
        if shuffle_first:
            order = np.random.default_rng(lab.seed).permutation(order)
        cut = int(0.9 * len(windows))
        # Two more are left out, so that in order nothing is in both.
        training, apart = order[:cut], order[cut + 2 :]
        chain = keras_genai.MarkovChain(tokenizer=tokenizer, order=lab.order)
        chain.compile()
        chain.fit(*in_and_out(windows[training]), verbose=0)
        claimed, true = (
            chain.evaluate(*in_and_out(each), verbose=0)["bits_per_character"]
            for each in (
                windows[apart],
                windows_of(tokenizer.encode(validation)),
            )
        )
        seen = np.isin(places[apart], places[training]).mean()
        return claimed, true, seen

    wrong, wrong_true, wrong_seen = measure(shuffle_first=True)
    right, right_true, right_seen = measure(shuffle_first=False)
    return (
        wrong,
        right,
        f"Shuffled first, {wrong_seen:.0%} of the held-out characters stand "
        f"in a training window, and a Markov chain claims {wrong:.2f} bits "
        f"where {wrong_true:.2f} are true of text cut off before; split "
        f"first, {right_seen:.0%}, and it claims {right:.2f} where "
        f"{right_true:.2f} are true.",
    )


@mistake(
    16,
    "a temperature that multiplies the logits, or divides probabilities",
    "it divides the logits, and 0 is the likeliest token without a division",
    "bits of entropy of the next character at a temperature of 0.5",
    ">=",
    "tests/test_choice.py::test_temperature_divides_logits",
)
def temperature_multiplied(lab):
    _, validation = lab.texts
    chain, temperature = lab.chain, 0.5
    token_ids = chain.tokenizer.encode(validation[:10_000])
    windows = token_ids[: len(token_ids) // 100 * 100].reshape(-1, 100)
    logits = chain(windows)

    def entropy(logits):
        p = ops.softmax(logits)
        return float(-ops.mean(ops.sum(p * ops.log2(p + 1e-9), axis=-1)))

    wrong, right = entropy(logits * temperature), entropy(logits / temperature)
    probabilities = entropy(ops.softmax(logits) / temperature)
    return (
        wrong,
        right,
        f"At 0.5, which should make draws careful, the next character has "
        f"{wrong:.2f} bits of entropy where the logits are multiplied, "
        f"{probabilities:.2f} where probabilities are divided, "
        f"{right:.2f} where the logits are; the model's own are "
        f"{entropy(logits):.2f}.",
    )


@mistake(
    17,
    "generation past the limit of the context that goes on reading the "
    "oldest tokens, or stops",
    "the newest context is kept, and exactly `max_new_tokens` are made",
    "bits a character that is made, by the model's own reckoning",
    ">=",
    "tests/test_gpt.py::"
    "test_generation_is_that_of_the_uncached_model_also_past_its_limit",
)
def oldest_tokens_kept(lab):
    _, validation = lab.texts
    chain, limit = lab.chain, 64
    count = 1 if lab.quick else 300
    prompt = chain.tokenizer.encode(validation[:limit])

    def cost(cut):
        token_ids = list(prompt)
        draws = np.random.default_rng(lab.seed).random((count, 1), "float32")
        for draw in draws:
            logits = chain(np.array([cut(token_ids)]))[:, -1]
            token_ids.append(int(next_tokens(logits, draw, Choice())[0]))
        made = chain.tokenizer.decode(token_ids[limit - 1 :])
        return chain.score(made)

    wrong = cost(lambda token_ids: token_ids[:limit])
    right = cost(lambda token_ids: token_ids[-limit:])
    return (
        wrong,
        right,
        f"{count} characters after a prompt of {limit}, by a model that reads "
        f"{limit}: those drawn from the oldest {limit} cost {wrong:.2f} bits "
        f"each, as draws from one and the same distribution, those from the "
        f"newest {right:.2f}; a loop that stops at the limit makes none.",
    )


@mistake(
    19,
    "music scaled in training by the range of the data, and in generation "
    "not, or by the range of the prompt",
    "one encoder for training and for generation",
    "nats a sixteenth step of held-out chorales",
    ">=",
    "tests/test_music_dataset.py::"
    "test_training_and_generation_read_scores_by_one_encoder",
)
def two_encoders(lab):
    pieces = {
        split: keras_genai.load_scores(
            "bach_chorales", split + ("[:4%]" if lab.quick else "")
        ).scores
        for split in ("train", "validation", "test")
    }
    tokenizer = keras_genai.MusicTokenizer.from_scores(
        [piece for split in pieces.values() for piece in split]
    )
    end = [tokenizer.end_token_id]
    parts = [tokenizer.encode(piece) for piece in pieces["train"]]
    stream = np.concatenate([[*end, *part] for part in parts] + [end])
    chain = fitted_chain(tokenizer, stream, lab.order)

    def as_heard(piece):
        """Ids counted from the lowest note of each voice in the piece."""
        lowest = keras_genai.MusicTokenizer.from_scores([piece]).lowest
        sizes = np.subtract(tokenizer.highest, tokenizer.lowest)
        return keras_genai.MusicTokenizer(lowest, lowest + sizes).encode(piece)

    def cost(encode):
        rows = [[*end, *encode(piece), *end] for piece in pieces["test"]]
        longest = max(map(len, rows))
        padded = np.full((len(rows), longest), -1)
        for row, ids in zip(padded, rows, strict=True):
            row[: len(ids)] = ids
        token_ids, targets = in_and_out(padded)
        return chain.evaluate(np.maximum(token_ids, 0), targets, verbose=0)[
            "nats_per_step"
        ]

    wrong, right = cost(as_heard), cost(tokenizer.encode)
    return (
        wrong,
        right,
        f"A step of a held-out chorale costs a Markov chain {wrong:.2f} nats "
        f"where its notes are counted from its own lowest ones, and "
        f"{right:.2f} where they are read as in training; nothing fails.",
    )
