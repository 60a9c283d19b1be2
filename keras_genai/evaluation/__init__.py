"""Numbers that need a trained model or a whole data set."""

from keras_genai.evaluation.classes import class_histogram
from keras_genai.evaluation.distances import frechet_distance
from keras_genai.evaluation.features import FeatureExtractor
from keras_genai.evaluation.likelihood import (
    Bound,
    bits_per_character,
    bits_per_dim,
    elbo,
    importance_weighted_bound,
)
from keras_genai.evaluation.neighbours import precision_and_recall

__all__ = [
    "Bound",
    "FeatureExtractor",
    "bits_per_character",
    "bits_per_dim",
    "class_histogram",
    "elbo",
    "frechet_distance",
    "importance_weighted_bound",
    "precision_and_recall",
]
