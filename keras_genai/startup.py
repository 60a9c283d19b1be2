"""TensorFlow, imported fast and quiet: for the command line and notebooks."""

import contextlib
import os
import sys
import tempfile


def prepare_tensorflow():
    """Imports TensorFlow with oneDNN on and without its start-up log.

    The package changes no setting when it is imported; the command line, and
    notebooks that need this call it before TensorFlow is imported. Environment
    variables that are already set are kept: `TF_ENABLE_ONEDNN_OPTS` (faster
    convolutions; TensorFlow turns them on by itself on newer processors only)
    and `TF_CPP_MIN_LOG_LEVEL` (the log of TensorFlow's C++ code).

    Returns:
        Boolean: `False` if TensorFlow was already imported, so that nothing
        could be changed.

    Example:
        >>> prepare_tensorflow() in (True, False)
        True
    """
    if "tensorflow" in sys.modules:
        return False
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Some lines are written before the log level is read.
    with _standard_error_aside():
        import tensorflow  # noqa: F401
    require_tensorflow_backend()
    return True


def require_tensorflow_backend():
    """Refuses another Keras backend than TensorFlow.

    Raises:
        ImportError: If Keras is set to another backend.

    Example:
        >>> require_tensorflow_backend()
    """
    # The environment variable comes first: importing Keras with a backend that
    # is not installed fails with an error about that backend.
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend == "tensorflow":
        with _standard_error_aside():
            import keras

        backend = keras.config.backend()
    if backend != "tensorflow":
        raise ImportError(
            "keras_genai trains with TensorFlow's GradientTape and needs "
            "Keras on TensorFlow. Set the environment variable "
            "KERAS_BACKEND=tensorflow before Keras is imported. "
            f"Received: backend={backend!r}"
        )


@contextlib.contextmanager
def _standard_error_aside():
    # On the level of the file descriptor, where C++ writes; the output of a
    # failed import is shown.
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            aside.seek(0)
            sys.stderr.write(aside.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
