"""What `fit` calls on a schedule."""

from keras_genai.callbacks.doctor import RaiseOnNaN
from keras_genai.callbacks.samples import SampleImages, SampleText

__all__ = ["RaiseOnNaN", "SampleImages", "SampleText"]
