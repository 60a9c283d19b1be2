"""What every recipe has."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long.

    Attributes:
        family: String, name of a model class of `keras_genai`.
        source: What the data's door takes: a name, a path, or the data.
        split: String, the split to train on.
        batch_size: Integer >= 1.
        epochs: Integer >= 1.
        model_arguments: Dictionary of the model's own arguments.
        synchronize_batch_normalization: Boolean. Whether BatchNorm sees the
            whole batch on several devices, rather than each its share.
        skip_broken: Boolean. Whether files that cannot be read are passed
            over, rather than refused.
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
            like: What the other split is read like, the data or the model of
                the training: its tokenizer is theirs. Of no use to images.

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
            `tf.data.Dataset`, or `None` where the recipe names no split,
            where the source is one split already, or where there is too
            little to hold some of it out.
        """
        from keras_genai.data.reading import EmptySplitError

        if self.validation_split is None or hasattr(self.source, "digest"):
            return None
        try:
            return self.dataset(seed, offline, self.validation_split, like)
        except EmptySplitError as error:
            # Nobody has asked for it: it is what most recipes have.
            if self.validation_split != type(self).validation_split:
                raise
            print(f"No validation. {error}")
            return None

    def model(self, dataset, seed=None):
        """Builds the model for the data and compiles it.

        Args:
            dataset: What `dataset` returned.
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
        """The model's arguments that the data decide.

        Args:
            dataset: What `dataset` returned.

        Returns:
            Dictionary.
        """
        raise NotImplementedError

    def compile_arguments(self, model, steps_per_epoch):
        """What the model is compiled with; each kind of recipe gives its own.

        Args:
            model: The model that is to be compiled.
            steps_per_epoch: Integer, batches an epoch.

        Returns:
            Dictionary.
        """
        raise NotImplementedError
