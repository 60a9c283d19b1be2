"""What all tests and doctests share: TensorFlow, and the order of tests."""

import functools
import gc
import os
import sys
from pathlib import Path

import pytest
from absl import logging

import keras_genai

# Where each core has a worker, more threads would only wait for one another.
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)) >= os.cpu_count():
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
PACKAGE = Path(keras_genai.__file__).parent
# Where Keras keeps what it has traced for each.
FUNCTIONS = {"fit": "train_function", "evaluate": "test_function"}


@functools.cache
def import_tensorflow():
    """Imports it once and quietly, before any test module does."""
    gc.disable()  # what is imported stays
    keras_genai.prepare_tensorflow()
    # Gradio's server closes what absl logs to: not pytest's file, whichever
    # test starts one first.
    logging.get_absl_handler().python_handler.stream = sys.__stderr__


def pytest_collectstart():
    """Not earlier: pytest-xdist hands out tests in a process without it."""
    import_tensorflow()


def pytest_collection_finish():
    gc.enable()


def pytest_xdist_auto_num_workers():
    """One more than there are cores, while some wait for other processes."""
    return os.cpu_count() + 1


def pytest_ignore_collect(collection_path):
    """Modules without an example are not imported to look for one."""
    is_module = PACKAGE in collection_path.parents and collection_path.is_file()
    if is_module and b">>>" not in collection_path.read_bytes():
        return True


def pytest_itemcollected(item):
    """A file is for one worker, which makes its fixtures once.

    Slow tests that share nothing are for any; some files are one with others.
    """
    marks = map(item.get_closest_marker, ("alone", "xdist_group"))
    if not any(marks):
        item.add_marker(pytest.mark.xdist_group(item.path.name))


def pytest_collection_modifyitems(items):
    """Slow ones come first, so that no worker is left with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_runtest_teardown():
    """Leaves the next test a process as it was.

    Determinism, which a command turned on, is for all of the process.
    TensorFlow registers how optimizers add up gradients over devices, under a
    new name for each graph, and holds the graph, its kernels and its variables
    by that: 30 MB a training, and gigabytes in all of the tests.
    """
    from tensorflow.python.framework import config, ops

    config.disable_op_determinism()
    registered = ops.gradient_registry._registry
    for name in list(registered):
        if name.startswith("CustomGradient-"):
            del registered[name]


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Keeps what is trained and cached away from the user's folder."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("KERAS_GENAI_CACHE", str(folder))
        yield folder


def eager_where_short(method):
    """Runs `fit` or `evaluate` without graphs where it is a few steps.

    Tracing a step takes as long as nine of them without a graph.
    """
    import tensorflow as tf

    @functools.wraps(method)
    def wrapper(model, x=None, *args, **kwargs):
        steps = -1
        if isinstance(x, tf.data.Dataset):
            steps = int(tf.data.experimental.cardinality(x))
        elif hasattr(x, "shape"):
            steps = -(-len(x) // (kwargs.get("batch_size") or 32))
        steps = kwargs.get("steps_per_epoch") or steps
        epochs = kwargs.get("epochs", 1) - kwargs.get("initial_epoch", 0)
        fixed = model.run_eagerly or tf.distribute.has_strategy()
        if fixed or not 0 <= steps * epochs <= 8:
            return method(model, x, *args, **kwargs)
        function = FUNCTIONS[method.__name__]
        steps_per_execution = model.steps_per_execution
        model.run_eagerly, model.steps_per_execution = True, 1
        setattr(model, function, None)
        try:
            return method(model, x, *args, **kwargs)
        finally:
            model.run_eagerly = False
            model.steps_per_execution = steps_per_execution
            setattr(model, function, None)

    return wrapper


@pytest.fixture(autouse=True, scope="session")
def quick_training():
    """One step an execution, and no graph for a few: see `as_graphs`."""
    import keras

    from keras_genai.models.core import compiling

    methods = [
        (keras.Model, name, getattr(keras.Model, name)) for name in FUNCTIONS
    ]
    of_users = [
        (compiling, "STEPS_PER_EXECUTION", compiling.STEPS_PER_EXECUTION),
        *methods,
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "STEPS_PER_EXECUTION", 1)
        for owner, name, method in methods:
            patch.setattr(owner, name, eager_where_short(method))
        yield of_users


@pytest.fixture
def as_graphs(monkeypatch, quick_training):
    """Steps are traced, and several are one execution, as users have it."""
    for setting in quick_training:
        monkeypatch.setattr(*setting)


def set_xla(patch, is_on):
    """Sets whether XLA compiles what it compiles for users."""
    from keras_genai import GPT, LSTMLanguageModel, PixelCNN

    for family in (GPT, LSTMLanguageModel, PixelCNN):
        patch.setattr(family, "compiled_loop", is_on)
    for family in (GPT, LSTMLanguageModel):
        patch.setattr(family, "xla", is_on)


@pytest.fixture(autouse=True, scope="session")
def without_xla():
    """XLA takes seconds for what a test runs once: some ask for `with_xla`."""
    with pytest.MonkeyPatch.context() as patch:
        set_xla(patch, False)
        yield


@pytest.fixture
def with_xla(monkeypatch):
    """XLA as users have it."""
    set_xla(monkeypatch, True)
