"""Text <-> token ids: characters, bytes and byte pairs, also inside a graph.

A tokenizer is a fixed vocabulary. It turns strings to ids and back in Python
(`encode`, `decode`), and by the same rule in TensorFlow operations that an
exported model holds (`tokenize`, `detokenize`). Its last id is the end of a
text: it is not in any text, and decodes to an empty string.
"""

from keras_genai.data.tokenizers.byte_pairs import BytePairTokenizer
from keras_genai.data.tokenizers.characters import CharacterTokenizer
from keras_genai.data.tokenizers.tokenizer import (
    MAX_BYTES,
    Tokenizer,
    encode_parts,
    load_tokenizer,
)

__all__ = [
    "MAX_BYTES",
    "BytePairTokenizer",
    "CharacterTokenizer",
    "Tokenizer",
    "encode_parts",
    "load_tokenizer",
]
