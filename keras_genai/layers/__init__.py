"""Layers and networks that more than one family uses."""

from keras_genai.layers.attention import (
    Attention,
    Block,
    FeedForward,
)
from keras_genai.layers.dropout import Dropout
from keras_genai.layers.images import (
    check_sides,
    convolutional_decoder,
    convolutional_encoder,
    dense_decoder,
    dense_encoder,
    get_networks,
)
from keras_genai.layers.labels import LabelPlanes
from keras_genai.layers.normalization import SpectralNormalization
from keras_genai.layers.positions import (
    NoPositions,
    RelativePositions,
    RotaryPositions,
)
from keras_genai.layers.seeds import glorot, he, layer_seeds

__all__ = [
    "Attention",
    "Block",
    "Dropout",
    "FeedForward",
    "LabelPlanes",
    "NoPositions",
    "RelativePositions",
    "RotaryPositions",
    "SpectralNormalization",
    "check_sides",
    "convolutional_decoder",
    "convolutional_encoder",
    "dense_decoder",
    "dense_encoder",
    "get_networks",
    "glorot",
    "he",
    "layer_seeds",
]
