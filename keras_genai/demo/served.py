"""Exported models, and calls that check their arguments.

A SavedModel is loaded by TensorFlow only. Its signatures show its modality,
which has the class that calls it: `keras_genai/modalities/NAME/served.py`.
"""

from pathlib import Path

from keras_genai.demo.checks import check_integer, check_number
from keras_genai.export import ask, read_about
from keras_genai.modalities import of_export

MAX_SEED = 2**31 - 1
MAX_TEMPERATURE = 10.0
MAX_TOP_K = 1_000_000


def load(path):
    """Loads an export, so that it can be called.

    Args:
        path: Path of a SavedModel, or of a run, which has one in `export/`.

    Returns:
        `ServedModel` of the export's modality, such as `ServedImages` or
        `ServedText`.

    Raises:
        ValueError: If there is no SavedModel, if it has no `generate`, or if
            its modality is not the one in its metadata.
    """
    import tensorflow as tf

    path = Path(path)
    is_run = (path / "run.json").is_file()
    folder = path / "export" if is_run else path
    if not (folder / "saved_model.pb").is_file():
        raise ValueError(
            "Expected a run that has ended, or a SavedModel. "
            f"Received: {str(path)!r}"
        )
    about = read_about(folder)
    loaded = tf.saved_model.load(str(folder))
    if "generate" not in loaded.signatures:
        raise ValueError(
            "Expected an export with a signature `generate`. "
            f"Received: {str(path)!r} with {sorted(loaded.signatures)}"
        )
    modality = of_export(loaded.signatures)
    if about.get("makes", modality.name) != modality.name:
        raise ValueError(
            f"Expected an export of {about['makes']}, as in its metadata. "
            f"Received: {str(path)!r} with {sorted(loaded.signatures)}"
        )
    path = path.resolve()
    name = path.parent.name if path.name == "export" else path.name
    return modality.exports.served(loaded, about, name)


class ServedModel:
    """The base of exported models; each modality has its own class.

    Args:
        loaded: The result of `tf.saved_model.load`.
        about: Dictionary, the result of `read_about`.
        name: String, the name of the model on the page.
    """

    def __init__(self, loaded, about, name):
        self.signatures = loaded.signatures
        self.about = about
        self.name = name
        self._loaded = loaded  # which holds the weights

    @property
    def family(self):
        """String, the class that was exported, or `"SavedModel"`."""
        return self.about.get("family", "SavedModel")

    def inputs(self, signature):
        """The inputs of a signature.

        Args:
            signature: String.

        Returns:
            Dictionary: name -> `tf.TensorSpec`.
        """
        return self.signatures[signature].structured_input_signature[1]

    def ask(self, signature, **inputs):
        """Runs a signature.

        Args:
            signature: String.
            **inputs: Arrays or numbers. Inputs that the signature does not
                take are ignored.

        Returns:
            Dictionary of NumPy arrays.

        Raises:
            ValueError: If the export refuses the inputs.
        """
        return ask(self.signatures[signature], **inputs)


def check_seed(seed):
    """Checks a seed for an export.

    Args:
        seed: Anything.

    Returns:
        Integer.

    Raises:
        ValueError: If it is not a valid seed.
    """
    return check_integer("seed", seed, 0, MAX_SEED)


def check_choice(temperature, top_k, top_p):
    """Checks the arguments for drawing a token.

    Args:
        temperature: Anything.
        top_k: Anything.
        top_p: Anything.

    Returns:
        Dictionary of numbers: the three by name.

    Raises:
        ValueError: If one is out of its range.
    """
    return {
        "temperature": check_number(
            "temperature", temperature, 0, MAX_TEMPERATURE
        ),
        "top_k": check_integer("top_k", top_k, 0, MAX_TOP_K),
        "top_p": check_number("top_p", top_p, 0.01, 1),
    }
