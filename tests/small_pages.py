"""A small world for the pages of `tutorials/`: few data, narrow networks.

A page's parameters say for how long it trains, and not on what. A test runs
this before the page, in a process of the page's own. Every cell still runs as
it is written; most of what it costs then is tracing, and not training.
"""

import dataclasses
import functools
import inspect

import keras
from keras import layers

import keras_genai as kg
from keras_genai import layers as networks
from keras_genai.data import corpora, sources
from keras_genai.evaluation import features
from keras_genai.models.core import compiling
from keras_genai.models.gans import dcgan
from keras_genai.recipes import RECIPES

DIGITS = {"train": 250, "test": 60}
CHARACTERS = 12_000
QUICK = {  # what quick recipes are, by what they make
    "images": {"split": "train", "epochs": 1, "batch_size": 250},
    "text": {"split": "train[:8000]", "epochs": 1, "steps_per_epoch": 2},
    "music": {},
}
FEATURES = 8  # of an extractor; a quarter of the held-out digits must be more


def make_small():
    """Makes all that a page looks up small, for the rest of the process."""
    take_few_data()
    narrow_the_networks()
    compile_little()
    trace_little()


def take_few_data():
    """Cuts the packaged digits and text, and has quick recipes take less."""
    digits, text = sources._offline_set, corpora._python_topics
    sources._offline_set = lambda name: {
        split: tuple(each[: DIGITS[split]] for each in examples)
        for split, examples in digits(name).items()
    }
    corpora._python_topics = lambda: text()[:CHARACTERS]
    for presets in RECIPES.values():
        quick = presets["quick"]
        presets["quick"] = dataclasses.replace(quick, **QUICK[quick.makes])


def narrow_the_networks():
    """Gives networks that a page does not describe itself fewer numbers."""
    for function in (
        kg.DCGAN.__init__,
        kg.ConditionalGAN.__init__,
        dcgan.dcgan_generator,
        dcgan.dcgan_features,
    ):
        change_defaults(function, width=4)
    change_defaults(networks.convolutional_encoder, width=4)
    change_defaults(networks.convolutional_decoder, width=8)
    change_defaults(
        kg.PixelCNN.__init__,
        width=4,
        dilations=(1,),
        first_kernel_size=5,
        head_width=8,
    )
    for transformer in (kg.GPT, kg.MusicTransformer):
        change_defaults(
            transformer.__init__, num_layers=1, num_heads=2, hidden_dim=16
        )
    change_defaults(kg.FeatureExtractor.__init__, feature_dim=FEATURES)
    features._classifier = perceptron


def perceptron(image_shape, num_classes, feature_dim, seed):
    """A feature extractor's network, without its convolutions.

    No feature is ever 0: untrained, whole sets of images would have the same.
    """
    images = layers.Input(image_shape)
    hidden = layers.Dense(feature_dim, activation="softplus")
    values = hidden(layers.Flatten()(images))
    return keras.Model(images, (values, layers.Dense(num_classes)(values)))


def change_defaults(function, **values):
    """Gives arguments of a function other defaults."""
    function = inspect.unwrap(function)
    parameters = inspect.signature(function).parameters.values()
    function.__defaults__ = tuple(
        values.get(each.name, each.default)
        for each in parameters
        if each.default is not each.empty
    )


def compile_little():
    """Leaves out what takes seconds for graphs that run a few times.

    That is XLA, and steps that are traced twice to be several an execution.
    """
    for family in (kg.GPT, kg.LSTMLanguageModel, kg.PixelCNN):
        family.compiled_loop = False
    for family in (kg.GPT, kg.LSTMLanguageModel):
        family.xla = False
    compiling.STEPS_PER_EXECUTION = 1


def trace_little():
    """Runs steps eagerly where they are one or two.

    For a step or two a graph takes longer to trace than they do without it,
    and other tests trace the package's classes. Of a class that a page writes
    itself the first model's steps of `fit` are traced.
    """
    for name, traced in (("fit", {}), ("evaluate", None)):
        method = getattr(keras.Model, name)
        setattr(keras.Model, name, eagerly(method, traced))


def eagerly(method, traced):
    """Makes a method take its steps eagerly, but those of first models."""

    @functools.wraps(method)
    def small(model, *args, **kwargs):
        settings = model.run_eagerly, model.steps_per_execution
        first = traced is not None and type(model).__module__ == "__main__"
        if not first or traced.setdefault(type(model), model) is not model:
            model.run_eagerly, model.steps_per_execution = True, 1
        try:
            return method(model, *args, **kwargs)
        finally:
            model.run_eagerly, model.steps_per_execution = settings

    return small
