"""An export that composes."""

import functools

from keras_genai.demo.checks import check_integer
from keras_genai.demo.served import ServedModel, check_choice, check_seed

MAX_STEPS = 512  # sixteenths


class ServedMusic(ServedModel):
    """A model that composes."""

    makes = "music"

    @functools.cached_property
    def num_voices(self):
        """Integer, the voices of its scores."""
        return self.inputs("complete")["events"].shape[-1]

    def compose(self, num_steps, temperature=1.0, top_k=0, top_p=1.0, seed=0):
        """Composes a piece.

        Args:
            num_steps: Integer from 1 to 512, sixteenths at most.
            temperature: Float from 0 to 10. Defaults to `1.0`.
            top_k: Integer >= 0; 0 for all. Defaults to `0`.
            top_p: Float from 0.01 to 1. Defaults to `1.0`.
            seed: Integer >= 0. Defaults to `0`.

        Returns:
            Bytes of a MIDI file.

        Raises:
            ValueError: If an argument is out of its range.
        """
        num_steps = check_integer("num_steps", num_steps, 1, MAX_STEPS)
        choice = check_choice(temperature, top_k, top_p)
        answer = self.ask(
            "generate_midi",
            num_samples=1,
            num_steps=num_steps,
            seed=check_seed(seed),
            **choice,
        )
        return answer["midi_bytes"][0]
