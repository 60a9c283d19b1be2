"""From noise or logits to samples."""

from keras_genai.sampling.choice import (
    Choice,
    asked_choice,
    best_beams,
    next_tokens,
    restrict,
)
from keras_genai.sampling.latents import (
    interpolate,
    latent_grid,
    seeded_labels,
    seeded_noise,
)
from keras_genai.sampling.loop import Loop, lay_out, run_loop, start_loop

__all__ = [
    "Choice",
    "Loop",
    "asked_choice",
    "best_beams",
    "interpolate",
    "latent_grid",
    "lay_out",
    "next_tokens",
    "restrict",
    "run_loop",
    "seeded_labels",
    "seeded_noise",
    "start_loop",
]
