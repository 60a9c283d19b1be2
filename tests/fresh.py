"""Fresh processes, forked from one that has imported TensorFlow.

Importing TensorFlow takes longer than most of what a test does. A server does
so once and runs nothing; a process that is forked from it has an environment,
a folder, settings of TensorFlow, devices and random states of its own, and has
not imported `keras_genai`. What TensorFlow and TFDS read of the environment
while they are imported (`TF_ENABLE_ONEDNN_OPTS`, the log level, the folder of
sets) is that of the test: for other values, and for `python` itself, there is
`subprocess`.
"""

import functools
import gc
import multiprocessing.forkserver
import os
import runpy
import subprocess
import sys
import tempfile
import types
from pathlib import Path


def make_graphs_quickly():
    """Has graphs run as they are, and not know which lines made them.

    To optimise a graph that runs once takes longer than it does; to note all
    callers of each operation, more so under pytest, is a seventh of tracing.
    An error in a graph still names the operation, but not the lines.
    """
    import tensorflow as tf
    from tensorflow.python.client import pywrap_tf_session
    from tensorflow.python.util import tf_stack

    options = {"disable_meta_optimizer": True}
    tf.config.optimizer.set_experimental_options(options)
    tf_stack.extract_stack = lambda stacklevel=1: None
    pywrap_tf_session.TF_SetOpStackTrace = lambda operation, stack: None


def tune_no_data():
    """Has pipelines of data run as they are.

    A thread beside each measures it, and sleeps for longer and longer. A
    pipeline that ends wakes it and waits for it, and TensorFlow's way of doing
    so can miss: then all waits until it has slept, for many seconds.
    """
    import tensorflow as tf

    def untuned(dataset):
        options = tf.data.Options()
        options.autotune.enabled = False
        options.experimental_optimization.apply_default_optimizations = False
        return dataset.with_options(options)

    # What TensorFlow does with each pipeline before it runs.
    tf.data.Dataset._apply_debug_options = untuned


def collect_garbage_rarely():
    """Tracing makes objects by the million, and few of them are garbage.

    What is imported by now stays, and is never looked through again. LiteRT
    would look through all the rest before each conversion.
    """
    from tensorflow.lite.python import lite

    gc.freeze()
    gc.set_threshold(1_000_000, 1, 10)
    lite.gc = types.SimpleNamespace(collect=lambda: 0)


def start(code, *arguments, cwd=None, env=None):
    """Starts a process.

    Args:
        code: String of Python, or `pathlib.Path` of a script.
        *arguments: What `sys.argv` holds after the first, as strings.
        cwd: Path of the folder to start in, or `None` for the present one.
        env: Dictionary of strings, its environment, or `None` for this one.

    Returns:
        `Fresh`.
    """
    return Fresh(code, arguments, cwd or os.getcwd(), env or dict(os.environ))


def run(code, *arguments, timeout=300, **options):
    """Runs a process to its end, with the arguments of `start`.

    Returns:
        `subprocess.CompletedProcess`: `returncode`, `stdout`, `stderr`.
    """
    process = start(code, *arguments, **options)
    printed = process.communicate(timeout)
    return subprocess.CompletedProcess(code, process.returncode, *printed)


class Fresh:
    """A process, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, code, arguments, cwd, env):
        # They are there for as long as this is.
        self._files = [
            tempfile.NamedTemporaryFile()  # noqa: SIM115
            for _ in range(2)
        ]
        names = [file.name for file in self._files]
        self._process = _server().Process(
            target=_be,
            args=(code, list(map(str, arguments)), str(cwd), env, names),
        )
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self.returncode

    def kill(self):
        self._process.kill()

    def communicate(self, timeout=None):
        """Waits for its end; what it printed, as two strings."""
        self._process.join(timeout)
        if self.returncode is None:
            self.kill()
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return self.printed()

    def printed(self):
        """What it has printed so far, as two strings."""
        return tuple(Path(file.name).read_text() for file in self._files)


@functools.cache
def _server():
    context = multiprocessing.get_context("forkserver")
    # To look up a set by its name TFDS imports all of them. Half a second of
    # that are those of text.
    context.set_forkserver_preload(
        ["keras", "matplotlib.pyplot", "tensorflow_datasets.text"]
    )
    # It has the standard error of its start, where TensorFlow says that it
    # found no GPU.
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    return context


def _be(code, arguments, cwd, env, names):
    """Is the process: does with the code what `python` would do."""
    from tensorflow.python.eager import context

    make_graphs_quickly()
    tune_no_data()
    collect_garbage_rarely()
    if context.context()._context_handle is not None:
        raise RuntimeError("TensorFlow ran something before the fork.")
    for name, descriptor in zip(names, (1, 2), strict=True):
        with open(name, "w") as file:
            os.dup2(file.fileno(), descriptor)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    if isinstance(code, Path):
        sys.argv = [str(code), *arguments]
        sys.path.insert(0, str(code.parent))
        runpy.run_path(str(code), run_name="__main__")
    else:
        sys.argv = ["-c", *arguments]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(code, vars(main))
