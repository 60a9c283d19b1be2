"""The methods of a modality: read this file to add one.

`Modality` has three parts: `Training` is used during and after `fit`,
`Command` by the command line, `Exports` for exported models. A modality writes
a subclass of each in its own file, and overrides the methods that differ from
the defaults here. These files are also read for `keras-genai --help`: they
import TensorFlow, Keras and the like inside of functions.
"""

import dataclasses
import typing


class Training:
    """How samples are shown during training, and measured after it.

    Attributes:
        written: String, the files that `sampler` writes into the folder of a
            run, and the source of the samples; printed when a run ends.
        alarms: Dictionary: name of an alarm that `look` may raise -> its
            meaning, the advice, further reading.
        samples_are_measured: Boolean. Whether `measure` takes a number of
            samples.
    """

    written = "samples/"
    alarms: typing.ClassVar[dict] = {}
    samples_are_measured = True

    def sampler(self, recipe, folder):
        """The callback that writes samples, epoch after epoch.

        Args:
            recipe: `Recipe` of the run.
            folder: `pathlib.Path`, the folder of the run.

        Returns:
            `keras.callbacks.Callback`.
        """
        raise NotImplementedError

    def tensorboard_arguments(self, recipe, model, examples):
        """The arguments of `keras_genai.TensorBoard`, without its folder.

        Args:
            recipe: `Recipe` of the run.
            model: The model.
            examples: Held-out examples, from `dataset.examples`.

        Returns:
            Dictionary of arguments.
        """
        return {}

    def show(self, model, board):
        """Shows samples in TensorBoard.

        Args:
            model: The model.
            board: `keras_genai.TensorBoard`, whose arguments are attributes;
                `board.summary` writes.
        """

    def doctor_arguments(self, examples):
        """The arguments of `TrainingDoctor`.

        Args:
            examples: The training examples, from `dataset.examples`.

        Returns:
            Dictionary of arguments.
        """
        return {}

    def look(self, doctor):
        """The doctor's check of samples.

        Args:
            doctor: `TrainingDoctor`, whose arguments are attributes; it also
                has `doctor.model` and `doctor.steps`.

        Returns:
            Function of a Boolean, whether training has ended, that returns
            pairs: the name of an alarm, and the sign of it or `None`.
        """
        return lambda at_end: ()

    def measure(self, model, recipe, held_out, training, num_samples, seed):
        """Measures samples, in addition to `model.evaluate`.

        Args:
            model: The trained model.
            recipe: `Recipe` of the run.
            held_out: Examples of the split to measure on.
            training: Function without arguments that opens the training
                examples.
            num_samples: Integer, or `None` for as many as the split has.
            seed: Integer.

        Returns:
            Pair: dictionary of numbers for the record of the run; and a report
            to print and save (`report.save(path)`), or `None`.

        Raises:
            ValueError: If the data have fewer examples.
        """
        return {}, None


class Command:
    """The options of the command line.

    Attributes:
        data_option: String, the option of `train` that takes the user's data:
            `"data"` or `"text"`.
        trained_on: String, the name of that option in errors.
        splits_own_data: Boolean. Whether reading splits the user's data, so
            that a part is held out.
        options: Tuple of strings, the options of `generate` besides
            `--seed`; others are refused.
        options_of_runs: Tuple of strings, the options that an export does not
            have.
        required: Dictionary: required option -> its usage.
        suffixes: Tuple of strings, of the files that are written; empty if the
            samples are printed.
        count_help: String, the default number of samples.
        output_help: String, which files are written.
    """

    data_option = "data"
    trained_on = "--data FOLDER"
    splits_own_data = True
    options = ()
    options_of_runs = ()
    required: typing.ClassVar[dict] = {}
    suffixes = ()
    count_help = ""
    output_help = ""

    def add_options(self, parser):
        """Adds the options of this modality to the parser of `generate`.

        Args:
            parser: `argparse.ArgumentParser`.
        """

    def check(self, options, exported):
        """Refuses invalid options, before a model is loaded.

        Args:
            options: The result of the parser.
            exported: Boolean. Whether the samples come from an export.

        Raises:
            ValueError: If an option is out of its range.
        """

    def num_files(self, options):
        """The number of files to write.

        Args:
            options: The result of the parser.

        Returns:
            Integer >= 1.
        """
        return 1

    def generate(self, source, options, files):
        """Makes samples, writes or prints them, and prints one line about it.

        Args:
            source: The model, or the signatures of an export.
            options: The result of the parser.
            files: List of `pathlib.Path`, of one of the `suffixes`.
        """
        raise NotImplementedError


class Exports:
    """How an export is recognised, called and shown in the browser."""

    def made(self, signatures):
        """Whether an export is of this modality, by its functions.

        Args:
            signatures: The signatures of a loaded SavedModel, by name.

        Returns:
            Boolean.
        """
        return False

    def served(self, loaded, about, name):
        """Wraps an export, so that it can be called.

        Args:
            loaded: The result of `tf.saved_model.load`.
            about: Dictionary, the result of `read_about`.
            name: String, the name of the model on the page.

        Returns:
            `ServedModel`.

        Raises:
            ValueError: If the export is not of this modality.
        """
        raise NotImplementedError

    def build_page(self, model, events):
        """Builds the part of the page, inside the `gr.Blocks` being built.

        Args:
            model: The result of `served`.
            events: `Events`.

        Returns:
            List of triples for the opening of the page: a function, its inputs
            and its outputs.
        """
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Modality:
    """A kind of output, and all code that depends on it.

    Attributes:
        name: String, the name of its folder, which models have in `makes`.
        training: `Training`.
        command: `Command`.
        exports: `Exports`.
    """

    name: str
    training: Training
    command: Command
    exports: Exports
