"""`keras-genai`: what is typed -> the command that does it."""

import argparse
import sys

from keras_genai.cli import demo, exporting, generating, results, training
from keras_genai.version import __version__


def main(arguments=None):
    """Runs the command line.

    Args:
        arguments: Strings, or `None` for those of the process.

    Returns:
        Integer, the exit status: 0, 2 for input that was refused, 130 for an
        interrupted training.
    """
    parser = argparse.ArgumentParser(
        prog="keras-genai",
        description="Train generative models, look at their samples, ship "
        "them.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    training.add_command(commands)
    generating.add_command(commands)
    exporting.add_command(commands)
    results.add_commands(commands)
    demo.add_command(commands)

    options, extra = parser.parse_known_args(arguments)
    if extra and options.run is not training.train:
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    try:
        return options.run(options, extra) or 0
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        print(f"keras-genai: {error}", file=sys.stderr)
        return 2
