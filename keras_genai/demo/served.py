"""Exported models, and typed calls that check what they are given.

A SavedModel is loaded by TensorFlow alone. What it makes is read from what its
export says of itself, else from its signatures.
"""

import functools
from pathlib import Path

import numpy as np

from keras_genai.demo.checks import (
    check_integer,
    check_number,
    check_text,
    shortened,
)
from keras_genai.export import ask, read_about
from keras_genai.sampling import seeded_noise

MAX_SAMPLES = 64
MAX_SEED = 2**31 - 1
MAX_PROMPT = 2_000  # characters
MAX_NEW_TOKENS = 1_000
MAX_SCORED = 20_000  # characters
MAX_STEPS = 512  # sixteenths
MAX_TEMPERATURE = 10.0
MAX_TOP_K = 1_000_000
_BATCH = 64
_PIECE = 16  # tokens between two looks at what was made
_CONTEXT = 512  # bytes that are read again, where a model's limit is none


def load(path):
    """Loads an export, to be asked for what it makes.

    Args:
        path: Path of a SavedModel, or of a run, which has one in `export/`.

    Returns:
        `ServedImages`, `ServedText` or `ServedMusic`.

    Raises:
        ValueError: If there is no SavedModel, or one that generates nothing,
            or another thing than it says of itself.
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
    makes = _made_by(loaded.signatures)
    if about.get("makes", makes) != makes:
        raise ValueError(
            f"Expected an export of {about['makes']}, as it says of itself. "
            f"Received: {str(path)!r} with {sorted(loaded.signatures)}"
        )
    path = path.resolve()
    name = path.parent.name if path.name == "export" else path.name
    return _KINDS[makes](loaded, about, name)


def _made_by(signatures):
    if "generate_midi" in signatures:
        return "music"
    return "text" if "score" in signatures else "images"


class ServedModel:
    """What models of all kinds share.

    Args:
        loaded: What `tf.saved_model.load` returned.
        about: Dictionary, what `read_about` returned.
        name: String to tell models apart by.
    """

    def __init__(self, loaded, about, name):
        self.signatures = loaded.signatures
        self.about = about
        self.name = name
        self._loaded = loaded  # which holds the weights

    @property
    def family(self):
        """String, the class that was exported, or what is known of it."""
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
            **inputs: Arrays or numbers. Those that the signature does not
                take are left out.

        Returns:
            Dictionary of NumPy arrays.

        Raises:
            ValueError: If the export refuses what it is given.
        """
        return ask(self.signatures[signature], **inputs)


class ServedImages(ServedModel):
    """A model that makes images in [0, 1]."""

    makes = "images"

    def __init__(self, loaded, about, name):
        super().__init__(loaded, about, name)
        self.num_classes = about.get("num_classes")
        self.image_shape = self._find_image_shape()

    def _find_image_shape(self):
        outputs = self.signatures["generate"].structured_outputs
        said = [None, *self.about.get("image_shape", [None] * 3)]
        made = outputs["images"].shape if "images" in outputs else None
        if made is not None and made.is_compatible_with(said):
            shape = made.merge_with(said)[1:]
            if shape.is_fully_defined():
                return tuple(shape)
        raise ValueError(
            "Expected an export whose `generate` makes images, of the shape "
            f"that it says. Received: {self.name!r} with {made}, not {said}"
        )

    def has(self, signature):
        """Whether the export can be asked for something.

        Args:
            signature: String.

        Returns:
            Boolean: `False` too where it takes labels and it is not known
            which.
        """
        if signature not in self.signatures:
            return False
        conditional = "labels" in self.inputs(signature)
        return not conditional or self.num_classes is not None

    def takes_labels(self, signature):
        """Whether a signature of the export is conditional."""
        return self.has(signature) and "labels" in self.inputs(signature)

    def generate(self, num_samples, seed, label=None):
        """Makes images.

        Args:
            num_samples: Integer from 1 to 64.
            seed: Integer >= 0.
            label: Integer, the class of all of them; `None` for any.

        Returns:
            Float32 array `(num_samples, height, width, channels)`.

        Raises:
            ValueError: If an argument is out of its range.
        """
        num_samples = check_integer("num_samples", num_samples, 1, MAX_SAMPLES)
        seed = check_seed(seed)
        if label is None:
            answer = self.ask("generate", num_samples=num_samples, seed=seed)
        elif self.has("generate_labels"):
            labels = np.full(num_samples, self.check_label(label))
            answer = self.ask("generate_labels", labels=labels, seed=seed)
        else:
            raise ValueError(
                f"The model takes no labels. Received: label={shortened(label)}"
            )
        return answer["images"]

    @property
    def codes_are_normal(self):
        """Whether codes are drawn from N(0, 1), as a GAN's or a VAE's."""
        return "codes" not in self.inputs("decode")

    def codes(self, num_samples, seed):
        """The codes of what `generate` makes, of a model with a decoder.

        Args:
            num_samples: Integer >= 1.
            seed: Integer, checked already.

        Returns:
            Float32 array `(num_samples, latent_dim)`.
        """
        if self.codes_are_normal:
            latent_dim = self._code_spec.shape[1]
            return seeded_noise(num_samples, latent_dim, seed).numpy()
        samples = self.ask("generate", num_samples=num_samples, seed=seed)
        return self.ask("encode", images=samples["images"])["codes"]

    def decode(self, codes, labels=None):
        """The images of codes.

        Args:
            codes: Float array `(batch, latent_dim)`.
            labels: Integer array `(batch,)`, or `None` where the model takes
                none.

        Returns:
            Float32 array `(batch, height, width, channels)`.
        """
        inputs = {self._code_spec.name: codes}
        if labels is not None:
            inputs["labels"] = labels
        batches = [
            {
                name: rows[start : start + _BATCH]
                for name, rows in inputs.items()
            }
            for start in range(0, len(codes), _BATCH)
        ]
        images = [self.ask("decode", **batch)["images"] for batch in batches]
        return np.concatenate(images)

    @property
    def _code_spec(self):
        specs = self.inputs("decode").items()
        (spec,) = (spec for name, spec in specs if name != "labels")
        return spec

    def encode(self, images, label=None):
        """The codes of images, or their means.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1].
            label: Integer, or `None` where the model takes none.

        Returns:
            Float32 array `(batch, latent_dim)`.
        """
        answer = self._of_images("encode", images, label)
        return answer["z_mean" if "z_mean" in answer else "codes"]

    def reconstruct(self, images, label=None):
        """Images that went through their codes, or were cleaned.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1].
            label: Integer, or `None` where the model takes none.

        Returns:
            Float32 array like `images`.
        """
        signature = "denoise" if self.has("denoise") else "reconstruct"
        return self._of_images(signature, images, label)["images"]

    def complete(self, images, known, seed, label=None):
        """Draws the pixels that are not known.

        Args:
            images: Float array `(batch, height, width, channels)`, in [0, 1].
            known: Boolean array like `images`.
            seed: Integer >= 0.
            label: Integer, or `None` where the model takes none.

        Returns:
            Float32 array like `images`.
        """
        seed = check_seed(seed)
        answer = self._of_images(
            "complete", images, label, known=known, seed=seed
        )
        return answer["images"]

    def _of_images(self, signature, images, label, **inputs):
        labels = None
        if self.takes_labels(signature):
            labels = np.full(len(images), self.check_label(label))
        return self.ask(signature, images=images, labels=labels, **inputs)

    def check_label(self, label):
        """Takes a label that the model knows.

        Args:
            label: Anything.

        Returns:
            Integer.

        Raises:
            ValueError: If it is none.
        """
        return check_integer("label", label, 0, self.num_classes - 1)


class ServedText(ServedModel):
    """A model that goes on from a prompt."""

    makes = "text"

    def stream(
        self,
        prompt,
        max_new_tokens=200,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        seed=0,
    ):
        """Goes on from a prompt, a few tokens at a time.

        An export makes its text in one go, so it is asked again and again for
        a few tokens more. It draws by the seed and the place in the text:
        asked with the text so far and the same seed, it goes on as it would
        have. When the text is as long as the model looks back, the newer half
        is what it is given, and another seed, because the places are the same
        again. So one seed always gives one text; up to that length it is the
        one that the export makes in one go.

        Args:
            prompt: String of 1 to 2,000 characters.
            max_new_tokens: Integer from 0 to 1,000. Defaults to `200`.
            temperature: Float from 0 to 10. Defaults to `1.0`.
            top_k: Integer >= 0; 0 for all. Defaults to `0`.
            top_p: Float from 0.01 to 1. Defaults to `1.0`.
            seed: Integer >= 0. Defaults to `0`.

        Yields:
            String, all of the text so far, with the prompt.

        Raises:
            ValueError: If an argument is out of its range.
        """
        text = check_text("prompt", prompt, MAX_PROMPT).encode()
        left = check_integer(
            "max_new_tokens", max_new_tokens, 0, MAX_NEW_TOKENS
        )
        seed = check_seed(seed)
        choice = check_choice(temperature, top_k, top_p)
        # As the tokenizer reads it: what it does not know is U+FFFD.
        context = self._go_on(self._newest(text), 0, seed, choice)
        yield _shown(text)
        while left:
            # Without a word on its limit, all at once.
            room = max(1, self._limit - len(context))
            count = min(_PIECE, room, left) if self.about else left
            left -= count
            longer = self._go_on(context, count, seed, choice)
            new = longer[len(context) :]
            text += new
            yield _shown(text) if left else text.decode("utf-8", "replace")
            if len(new) < count:  # a token is a byte or more: it ended
                return
            context = self._newest(longer)
            if context != longer:
                seed = (seed + 1) % MAX_SEED

    @property
    def _limit(self):
        """Bytes, and so tokens at most, that are read again."""
        return self.about.get("max_sequence_length", _CONTEXT)

    def _newest(self, text):
        """What of a text is read again: less than the limit."""
        if not self.about or len(text) < self._limit:
            return text
        newest = text[-max(1, self._limit // 2) :]
        # Not from the middle of a character.
        return newest.lstrip(bytes(range(0x80, 0xC0))) or newest

    def _go_on(self, text, count, seed, choice):
        answer = self.ask(
            "generate", prompt=[text], max_new_tokens=count, seed=seed, **choice
        )
        # Earlier exports have no other than what `text_bytes` is now.
        return answer.get("text_bytes", answer["text"])[0]

    def score(self, text):
        """What a text costs.

        Args:
            text: String of at most 20,000 characters.

        Returns:
            Float, bits a character.

        Raises:
            ValueError: If it is longer, or too short to cost anything.
        """
        text = check_text("text", text, MAX_SCORED)
        (bits,) = self.ask("score", text=[text])["bits_per_character"]
        if not np.isfinite(bits):
            raise ValueError(
                "Expected a text of two tokens or more: the first is what "
                f"the others are scored after. Received: {shortened(text)}"
            )
        return float(bits)


class ServedMusic(ServedModel):
    """A model that composes."""

    makes = "music"

    @functools.cached_property
    def num_voices(self):
        """Integer, the voices of what it composes."""
        return self.inputs("complete")["events"].shape[-1]

    def compose(self, num_steps, temperature=1.0, top_k=0, top_p=1.0, seed=0):
        """Composes a piece.

        Args:
            num_steps: Integer from 1 to 512, sixteenths at most.
            temperature: Float from 0 to 10. Defaults to `1.0`.
            top_k: Integer >= 0; 0 for all. Defaults to `0`.
            top_p: Float from 0.01 to 1. Defaults to `1.0`.
            seed: Integer >= 0. Defaults to `0`.

        Returns:
            Bytes of a MIDI file.

        Raises:
            ValueError: If an argument is out of its range.
        """
        num_steps = check_integer("num_steps", num_steps, 1, MAX_STEPS)
        choice = check_choice(temperature, top_k, top_p)
        answer = self.ask(
            "generate_midi",
            num_samples=1,
            num_steps=num_steps,
            seed=check_seed(seed),
            **choice,
        )
        return answer["midi_bytes"][0]


_KINDS = {kind.makes: kind for kind in (ServedImages, ServedText, ServedMusic)}


def check_seed(seed):
    """Takes a seed that an export takes.

    Args:
        seed: Anything.

    Returns:
        Integer.

    Raises:
        ValueError: If it is none.
    """
    return check_integer("seed", seed, 0, MAX_SEED)


def check_choice(temperature, top_k, top_p):
    """Takes the ways to draw a token.

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


def _shown(text):
    """Bytes as a string, without a character of which half is there."""
    return text.decode("utf-8", "replace").rstrip("\ufffd")
