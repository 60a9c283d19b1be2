"""Callbacks of `fit`."""

from keras_genai.callbacks.checkpoints import Checkpoints
from keras_genai.callbacks.doctor import Alarm, RaiseOnNaN, TrainingDoctor
from keras_genai.callbacks.samples import (
    SampleImages,
    SampleScores,
    SampleText,
)
from keras_genai.callbacks.tensorboard import TensorBoard

__all__ = [
    "Alarm",
    "Checkpoints",
    "RaiseOnNaN",
    "SampleImages",
    "SampleScores",
    "SampleText",
    "TensorBoard",
    "TrainingDoctor",
]
