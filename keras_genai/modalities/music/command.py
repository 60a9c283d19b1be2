"""The command line for music."""

from keras_genai.modalities.base import Command
from keras_genai.modalities.options import CHOICE, check_num_samples, given

_NUM_STEPS = 128
_MOST = 256  # scores that are composed at once


class MusicCommand(Command):
    trained_on = "music: --data FOLDER"
    options = (
        *("num_samples", "num_steps", "melody", "voice"),
        *("output", "overwrite"),
        *(*CHOICE, "min_p"),
    )
    options_of_runs = ("min_p",)
    suffixes = (".mid", ".wav")
    count_help = "1 piece of music"
    output_help = (
        ".mid of music (RUN/generated/seed_SEED.mid), or .wav for the sound"
    )

    def add_options(self, parser):
        from keras_genai.cli.values import (
            integer,
            integer_above_zero,
            user_path,
        )

        group = parser.add_argument_group("of music")
        group.add_argument(
            "--num-steps",
            type=integer_above_zero,
            help=f"sixteenths at most ({_NUM_STEPS}, or as many as the melody "
            "has)",
        )
        group.add_argument(
            "--melody",
            type=user_path,
            help="a MIDI file, whose highest notes are harmonized",
        )
        group.add_argument(
            "--voice",
            type=integer,
            help="the melody's voice, 0 (default) the highest",
        )

    def check(self, options, exported):
        check_num_samples(
            *(options.num_samples, _MOST),
            "one call; make others with another --seed",
        )
        if options.voice is not None and options.melody is None:
            raise ValueError(
                "--voice needs a melody: --melody FILE. "
                f"Received: --voice {options.voice}"
            )
        if exported and str(options.output).endswith(".wav"):
            raise ValueError(
                "An export makes no sound: choose a .mid, or give the run. "
                f"Received: {options.output!r}"
            )

    def num_files(self, options):
        return options.num_samples or 1

    def generate(self, source, options, files):
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
    choice = given(options, (*CHOICE, "min_p", "num_steps"))
    if melody is None:
        return model.generate(count, **choice, seed=options.seed)
    return model.harmonize(
        melody, count, voice=options.voice or 0, **choice, seed=options.seed
    )


def _served(signatures, options, melody, count):
    """The bytes of MIDI files from an export."""
    from keras_genai.export import ask

    choice = {**CHOICE, **given(options, CHOICE), "seed": options.seed}
    num_steps = options.num_steps
    if melody is None:
        return ask(
            signatures["generate_midi"],
            num_samples=count,
            num_steps=num_steps or _NUM_STEPS,
            **choice,
        )["midi_bytes"]
    complete = signatures["complete"]
    num_voices = complete.structured_input_signature[1]["events"].shape[-1]
    events = _events(melody, options, count, num_voices)
    return ask(complete, events=events, **choice)["midi_bytes"]


def _events(melody, options, count, num_voices):
    """The events for `complete`: a melody in its voice, the others free."""
    import numpy as np

    from keras_genai.data.music import FREE

    voice = options.voice or 0
    if not 0 <= voice < num_voices:
        raise ValueError(
            f"Expected a voice in [0, {num_voices}). Received: --voice {voice}"
        )
    num_steps = options.num_steps or len(melody)
    if num_steps < len(melody):
        raise ValueError(
            "The steps must reach to the melody's end. Received: "
            f"--num-steps {num_steps} and {len(melody)} steps"
        )
    events = np.full((count, num_steps, num_voices), FREE, "int32")
    events[:, : len(melody), voice] = melody.events[:, 0]
    return events
