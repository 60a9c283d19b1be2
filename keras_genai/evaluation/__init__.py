"""Measures that need a trained model or a whole data set."""

from keras_genai.evaluation.classes import (
    class_entropy,
    class_histogram,
    classifier_score,
)
from keras_genai.evaluation.comparison import Measure
from keras_genai.evaluation.distances import (
    KernelDistance,
    frechet_distance,
    frechet_distance_extrapolated,
    kernel_distance,
)
from keras_genai.evaluation.features import FeatureExtractor, Features
from keras_genai.evaluation.likelihood import (
    Bound,
    bits_per_character,
    bits_per_dim,
    elbo,
    importance_weighted_bound,
)
from keras_genai.evaluation.manifolds import (
    density_and_coverage,
    precision_and_recall,
)
from keras_genai.evaluation.measures import measure_features
from keras_genai.evaluation.music import Key, find_key, music_measures
from keras_genai.evaluation.neighbours import (
    Neighbours,
    memorised_share,
    nearest_neighbours,
    neighbour_distance_ratio,
)
from keras_genai.evaluation.pretrained import PretrainedFeatures
from keras_genai.evaluation.result import SampleEvaluation
from keras_genai.evaluation.samples import evaluate_samples

__all__ = [
    "Bound",
    "FeatureExtractor",
    "Features",
    "KernelDistance",
    "Key",
    "Measure",
    "Neighbours",
    "PretrainedFeatures",
    "SampleEvaluation",
    "bits_per_character",
    "bits_per_dim",
    "class_entropy",
    "class_histogram",
    "classifier_score",
    "density_and_coverage",
    "elbo",
    "evaluate_samples",
    "find_key",
    "frechet_distance",
    "frechet_distance_extrapolated",
    "importance_weighted_bound",
    "kernel_distance",
    "measure_features",
    "memorised_share",
    "music_measures",
    "nearest_neighbours",
    "neighbour_distance_ratio",
    "precision_and_recall",
]
