"""Music: all code for models of music."""

from keras_genai.modalities.base import Modality
from keras_genai.modalities.music.command import MusicCommand
from keras_genai.modalities.music.exports import MusicExports
from keras_genai.modalities.music.training import MusicTraining

modality = Modality("music", MusicTraining(), MusicCommand(), MusicExports())
