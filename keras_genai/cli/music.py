"""What `keras-genai generate` does with music."""

import numpy as np

from keras_genai.cli.values import check_num_samples, files_to_write, given
from keras_genai.export import ask

_SERVED = {"temperature": 1.0, "top_k": 0, "top_p": 1.0}
_NUM_STEPS = 128
_MOST = 256  # scores that are composed at once


def output_files(options, folder, exported):
    """The files that scores go to, numbered where there are several.

    Args:
        options: What the parser returned.
        folder: `pathlib.Path` of a folder for what is given no file.
        exported: Boolean. Whether they come from an export.

    Returns:
        List of `pathlib.Path`: `seed_0.mid`, or `seed_0-1.mid`,
        `seed_0-2.mid`, ...

    Raises:
        ValueError: If one is there, or if it is no file of music, or one of
            sound from an export, or if there would be too few or too many.
    """
    check_num_samples(
        options.num_samples, _MOST, "one go; make others with another --seed"
    )
    if options.voice is not None and options.melody is None:
        raise ValueError(
            "The voice is that of a melody: --melody FILE. "
            f"Received: --voice {options.voice}"
        )
    if exported and str(options.output).endswith(".wav"):
        raise ValueError(
            "An export makes no sound: choose a .mid, or give the run. "
            f"Received: {options.output!r}"
        )
    return files_to_write(
        *(options, folder, f"seed_{options.seed}"),
        (".mid", ".wav"),
        options.num_samples or 1,
    )


def generate(source, options, files):
    """Writes scores that a model or an export composes.

    Args:
        source: The model, or the signatures of an export.
        options: What the parser returned.
        files: What `output_files` returned.
    """
    from keras_genai.data.music import read_midi, write_midi, write_wav
    from keras_genai.files import complete_or_absent

    melody = None
    if options.melody is not None:
        melody = read_midi(options.melody, num_voices=1)
    served = not hasattr(source, "generate")
    make = _served if served else _composed
    for made, file in zip(
        make(source, options, melody, len(files)), files, strict=True
    ):
        with complete_or_absent(file) as partial:
            if served:
                partial.write_bytes(made)
            elif file.suffix == ".wav":
                write_wav(made, partial)
            else:
                write_midi(made, partial)
    scores = f"{len(files)} score" + "s" * (len(files) > 1)
    print(f"{scores}, seed {options.seed}: {', '.join(map(str, files))}")


def _composed(model, options, melody, count):
    """Scores of a model."""
    choice = given(options, (*_SERVED, "min_p", "num_steps"))
    if melody is None:
        return model.generate(count, **choice, seed=options.seed)
    return model.harmonize(
        melody, count, voice=options.voice or 0, **choice, seed=options.seed
    )


def _served(signatures, options, melody, count):
    """The bytes of MIDI files of an export."""
    choice = {**_SERVED, **given(options, _SERVED), "seed": options.seed}
    num_steps = options.num_steps
    if melody is None:
        return ask(
            signatures["generate_midi"],
            num_samples=count,
            num_steps=num_steps or _NUM_STEPS,
            **choice,
        )["midi_bytes"]
    from keras_genai.data.music import FREE

    complete = signatures["complete"]
    num_voices = complete.structured_input_signature[1]["events"].shape[-1]
    voice = options.voice or 0
    if not 0 <= voice < num_voices:
        raise ValueError(
            f"Expected a voice in [0, {num_voices}). Received: --voice {voice}"
        )
    num_steps = num_steps or len(melody)
    if num_steps < len(melody):
        raise ValueError(
            "The steps must reach to the melody's end. Received: "
            f"--num-steps {num_steps} and {len(melody)} steps"
        )
    events = np.full((count, num_steps, num_voices), FREE, "int32")
    events[:, : len(melody), voice] = melody.events[:, 0]
    return ask(complete, events=events, **choice)["midi_bytes"]
