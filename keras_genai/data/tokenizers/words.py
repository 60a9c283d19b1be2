"""How a text is cut into words before byte pairs are merged.

A word is a space, if there is one, and then letters, or digits, or other signs.
All bytes beyond ASCII count as letters. Other white space is a word for each
character. The rule is here twice: as a regular expression for the package that
learns merges, and on bytes in TensorFlow.
"""

import re

import numpy as np
import tensorflow as tf

WORD = (
    r" ?[A-Za-z\x{80}-\x{10FFFF}]+| ?[0-9]+"
    r"| ?[^A-Za-z0-9\x{80}-\x{10FFFF}\t-\r ]+|[\t-\r ]"
)
WHITE_SPACE = re.compile(r"[\t-\r ]")
_SPACE, _LETTER, _DIGIT, _SIGN = range(4)


def _byte_classes():
    classes = np.full(256, _SIGN)
    classes[[*range(ord("\t"), ord("\r") + 1), ord(" ")]] = _SPACE
    classes[[byte for byte in range(128) if chr(byte).isalpha()]] = _LETTER
    classes[128:] = _LETTER
    classes[ord("0") : ord("9") + 1] = _DIGIT
    return classes


_CLASSES = _byte_classes()


def starts_word(values, rows):
    """Tells which bytes begin a word, by the same rule as `WORD`.

    Args:
        values: Integer tensor `(bytes,)` in [0, 256).
        rows: Integer tensor `(bytes,)`, the text that each byte belongs to.

    Returns:
        Boolean tensor `(bytes,)`.
    """
    classes = tf.gather(_CLASSES, values)
    goes_on = (
        (rows[1:] == rows[:-1])
        & (classes[1:] != _SPACE)
        & ((classes[1:] == classes[:-1]) | (values[:-1] == ord(" ")))
    )
    return tf.concat([[True], ~goes_on], axis=0)[: tf.size(values)]
