"""Images: all code for models of images."""

from keras_genai.modalities.base import Modality
from keras_genai.modalities.images.command import ImageCommand
from keras_genai.modalities.images.exports import ImageExports
from keras_genai.modalities.images.training import ImageTraining

modality = Modality("images", ImageTraining(), ImageCommand(), ImageExports())
