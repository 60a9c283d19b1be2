"""`keras-genai`: arguments -> the function of a command."""

import argparse
import re
import sys

from keras_genai.cli import demo, exporting, generating, results, training
from keras_genai.names import did_you_mean
from keras_genai.version import __version__


class Parser(argparse.ArgumentParser):
    """A parser whose errors suggest the closest option."""

    def error(self, message):
        choice = re.search(r"invalid choice: '(.*?)' .*from (.*)\)", message)
        if choice:
            known = re.findall(r"[\w.-]+", choice[2])
            message += did_you_mean(choice[1], known)
        unknown = re.match(r"unrecognized arguments: (-[^\s=]*)", message)
        if unknown:
            message += did_you_mean(unknown[1], self.long_options())
        super().error(message)

    def long_options(self):
        """The long options of the parser, as in its help."""
        return re.findall(r"--[\w-]+", self.format_help())


def build_parser():
    """Builds the parser of all commands.

    Returns:
        Pair of the `Parser`, and a dictionary: name of a command -> its
        `Parser`.

    Example:
        >>> [*build_parser()[1]][:3]
        ['train', 'generate', 'export']
    """
    parser = Parser(
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
    return parser, commands.choices


def main(arguments=None):
    """Runs the command line.

    Args:
        arguments: Strings, or `None` for those of the process.

    Returns:
        Integer, the exit status: 0, 2 for input that was refused, 130 for an
        interrupted training.
    """
    _print_whatever_comes()
    parser, _ = build_parser()
    options, extra = parser.parse_known_args(arguments)
    if extra and options.run is not training.train:
        options.parser.error(f"unrecognized arguments: {' '.join(extra)}")
    try:
        return options.run(options, extra) or 0
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        print(f"keras-genai: {error}", file=sys.stderr)
        return 2


def _print_whatever_comes():
    """Prints `?` for a character that the terminal cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) == "strict":
            stream.reconfigure(errors="replace")
