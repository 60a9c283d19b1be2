"""Text: all code for models of text."""

from keras_genai.modalities.base import Modality
from keras_genai.modalities.text.command import TextCommand
from keras_genai.modalities.text.exports import TextExports
from keras_genai.modalities.text.training import TextTraining

modality = Modality("text", TextTraining(), TextCommand(), TextExports())
