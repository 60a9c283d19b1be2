"""Exports that other programs load, and the check that they can.

A SavedModel is a folder for TensorFlow, and does all that a model does. LiteRT
has a file, ONNX a folder of files; both are for networks, which draw nothing.
"""

from keras_genai.export.check import TOLERANCES, check_export
from keras_genai.export.expressible import why_not
from keras_genai.export.litert import write_litert
from keras_genai.export.onnx import write_onnx
from keras_genai.export.saved_model import (
    ask,
    check_saved_model,
    read_about,
    write_saved_model,
)

FORMATS = ("saved_model", "litert", "onnx")

__all__ = [
    "FORMATS",
    "TOLERANCES",
    "ask",
    "check_export",
    "check_saved_model",
    "read_about",
    "why_not",
    "write_litert",
    "write_onnx",
    "write_saved_model",
]
