"""Errors of batches inside a graph, in a readable form."""

import contextlib
import re

import tensorflow as tf


@contextlib.contextmanager
def refusals_as_value_errors():
    """Turns an error of `check` inside a graph into a `ValueError`."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        # In a graph the parts of a message are in brackets; eagerly they are
        # lines, and strings are bytes.
        message = str(error)
        traced = re.search(r"assertion failed: (.*Received: .*)", message)
        eager = re.search(
            r"Summarized data: (b['\"].*Received: .*)", message, re.S
        )
        if traced:
            message = traced[1].replace("] [", " ").strip("[]")
        elif eager:
            lines = eager[1].splitlines()
            message = " ".join(
                re.sub(r"^b(['\"])(.*)\1$", r"\2", x) for x in lines
            )
        else:
            raise
        raise ValueError(message) from None
