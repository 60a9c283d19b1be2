"""The command line, `keras-genai`."""

from keras_genai.cli.parser import main

__all__ = ["main"]
