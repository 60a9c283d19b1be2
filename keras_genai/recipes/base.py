"""The base of every recipe."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long.

    Attributes:
        family: String, name of a model class of `keras_genai`.
        source: The source of the data: a name, a path, or the data.
        split: String, the split to train on.
        batch_size: Integer >= 1.
        epochs: Integer >= 1.
        model_arguments: Dictionary of arguments of the model.
        synchronize_batch_normalization: Boolean. Whether BatchNorm uses the
            whole batch on several devices, instead of the share of each
            device.
        skip_broken: Boolean. Whether unreadable files are skipped instead of
            refused.
    """

    family: str
    source: object = None
    split: str = "train"
    batch_size: int = 128
    epochs: int = 80
    model_arguments: dict = dataclasses.field(default_factory=dict)
    synchronize_batch_normalization: bool = False
    skip_broken: bool = False

    makes = None  # the modality: a folder of `keras_genai.modalities`
    validation_split = None

    def dataset(self, seed=None, offline=False, split=None, like=None):
        """Opens the data.

        Args:
            seed: Integer, or `None` for one drawn at random.
            offline: Boolean. Whether the network is not used.
            split: String, another split, read for evaluation, or `None` for
                the one to train on.
            like: The training data or the trained model, whose tokenizer reads
                the other split. Not used for images.

        Returns:
            `tf.data.Dataset`, with the attribute `examples`.

        Raises:
            ValueError: If there is no such source or split.
            ConnectionError: If the source would have to be downloaded and
                there is no network.
        """
        raise NotImplementedError

    def validation_dataset(self, seed=None, offline=False, like=None):
        """Opens the data that each epoch is validated on.

        Args:
            seed: Integer, or `None` for one drawn at random.
            offline: Boolean. Whether the network is not used.
            like: As in `dataset`.

        Returns:
            `tf.data.Dataset`, or `None` if the recipe names no split, if the
            source is already one split, or if the data are too few to hold out
            a part.
        """
        from keras_genai.data.reading import EmptySplitError

        if self.validation_split is None or hasattr(self.source, "digest"):
            return None
        try:
            return self.dataset(seed, offline, self.validation_split, like)
        except EmptySplitError as error:
            # Validation is a default of most recipes, not a request of the
            # user.
            if self.validation_split != type(self).validation_split:
                raise
            print(f"No validation. {error}")
            return None

    def model(self, dataset, seed=None):
        """Builds the model for the data and compiles it.

        Args:
            dataset: The result of `dataset`.
            seed: Integer, or `None` for one drawn at random.

        Returns:
            The compiled model.

        Raises:
            ValueError: If an argument does not exist or is out of its range.
        """
        import keras_genai
        from keras_genai.replicas import synchronize_batch_normalization

        model = getattr(keras_genai, self.family)(
            seed=seed,
            **{**self.arguments_from(dataset), **self.model_arguments},
        )
        if self.synchronize_batch_normalization:
            synchronize_batch_normalization(model)
        model.compile(**self.compile_arguments(model, len(dataset)))
        return model

    def arguments_from(self, dataset):
        """The model's arguments that follow from the data.

        Args:
            dataset: The result of `dataset`.

        Returns:
            Dictionary.
        """
        raise NotImplementedError

    def compile_arguments(self, model, steps_per_epoch):
        """The arguments of `compile`; each kind of recipe gives its own.

        Args:
            model: The model that is to be compiled.
            steps_per_epoch: Integer, batches an epoch.

        Returns:
            Dictionary.
        """
        raise NotImplementedError
