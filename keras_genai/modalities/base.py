"""What a modality answers: read this page to add one.

`Modality` has three parts, by who asks: `Training` during and after `fit`,
`Command` on the command line, `Exports` once a model is exported. A modality
writes a subclass of each in a file of its own, and overrides what differs from
the answers here. These files are also read for `keras-genai --help`: they
import TensorFlow, Keras and the like inside of functions.
"""

import dataclasses
import typing


class Training:
    """How samples are shown while a model is trained, and then measured.

    Attributes:
        written: String, what `sampler` writes into the folder of a run, and
            what it is drawn from, told when a run ends.
        alarms: Dictionary: name of an alarm that `look` may raise -> what it
            means, what to try, where to read on.
        samples_are_measured: Boolean. Whether `measure` takes a number of
            samples.
    """

    written = "samples/"
    alarms: typing.ClassVar[dict] = {}
    samples_are_measured = True

    def sampler(self, recipe, folder):
        """The callback that writes down samples, epoch after epoch.

        Args:
            recipe: `Recipe` of the run.
            folder: `pathlib.Path`, the folder of the run.

        Returns:
            `keras.callbacks.Callback`.
        """
        raise NotImplementedError

    def tensorboard_arguments(self, recipe, model, examples):
        """What `keras_genai.TensorBoard` is made with, besides its folder.

        Args:
            recipe: `Recipe` of the run.
            model: The model.
            examples: Held-out examples, those of `dataset.examples`.

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
        """What `TrainingDoctor` is made with.

        Args:
            examples: The examples to train on, those of `dataset.examples`.

        Returns:
            Dictionary of arguments.
        """
        return {}

    def look(self, doctor):
        """What the doctor looks at in samples.

        Args:
            doctor: `TrainingDoctor`, whose arguments are attributes, and
                `doctor.model`, `doctor.steps` besides.

        Returns:
            Function of a Boolean, whether training has ended, that returns
            pairs: the name of an alarm, and what was seen of it or `None`.
        """
        return lambda at_end: ()

    def measure(self, model, recipe, held_out, training, num_samples, seed):
        """Measures what `model.evaluate` does not.

        Args:
            model: The trained model.
            recipe: `Recipe` of the run.
            held_out: Examples of the split to measure on.
            training: Function without arguments that opens the examples that
                the model was trained on.
            num_samples: Integer, or `None` for as many as are there.
            seed: Integer.

        Returns:
            Pair: dictionary of what the record of the run holds; and what is
            printed and saved beside it (`report.save(path)`), or `None`.

        Raises:
            ValueError: If the data do not have so many examples.
        """
        return {}, None


class Command:
    """What the command line takes.

    Attributes:
        data_option: String, the option of `train` that takes the user's data:
            `"data"` or `"text"`.
        trained_on: String, how a refusal names that option.
        splits_own_data: Boolean. Whether the user's data are split as they
            are read, so that some are held out.
        options: Tuple of strings, the options of `generate` besides
            `--seed`; others are refused.
        options_of_runs: Tuple of strings, those of them that an export does
            not have.
        required: Dictionary: option that must be given -> how it is typed.
        suffixes: Tuple of strings, of the files that are written; none where
            the samples are printed.
        count_help: String, how many samples there are unless it is said.
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
        """Tells the parser of `generate` the options of this modality only.

        Args:
            parser: `argparse.ArgumentParser`.
        """

    def check(self, options, exported):
        """Refuses what cannot be made, before a model is loaded.

        Args:
            options: What the parser returned.
            exported: Boolean. Whether the samples come from an export.

        Raises:
            ValueError: If an option is out of its range.
        """

    def num_files(self, options):
        """How many files are written.

        Args:
            options: What the parser returned.

        Returns:
            Integer >= 1.
        """
        return 1

    def generate(self, source, options, files):
        """Makes samples, writes or prints them, and says so in a line.

        Args:
            source: The model, or the signatures of an export.
            options: What the parser returned.
            files: List of `pathlib.Path`, of one of the `suffixes`.
        """
        raise NotImplementedError


class Exports:
    """How an export is known, asked, and shown in the browser."""

    def made(self, signatures):
        """Whether an export, which may not say so, is of this modality.

        Args:
            signatures: Those of a loaded SavedModel, by name.

        Returns:
            Boolean.
        """
        return False

    def served(self, loaded, about, name):
        """An export, to be asked for what it makes.

        Args:
            loaded: What `tf.saved_model.load` returned.
            about: Dictionary, what `read_about` returned.
            name: String, to tell models apart by.

        Returns:
            `ServedModel`.

        Raises:
            ValueError: If the export is not of this modality.
        """
        raise NotImplementedError

    def build_page(self, model, events):
        """Builds the part of the page, inside the `gr.Blocks` being built.

        Args:
            model: What `served` returned.
            events: `Events`.

        Returns:
            List of triples, what to do when the page is opened: a function,
            its inputs and its outputs.
        """
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Modality:
    """A kind of output, and what follows from it.

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
