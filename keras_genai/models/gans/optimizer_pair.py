"""The two optimizers of a GAN, as one object for callbacks."""

import keras


class OptimizerPair:
    """`model.optimizer` of a model with an optimizer for each network.

    Setting the learning rate sets that of the generator, and scales that of
    the discriminator by the same factor. So `LearningRateScheduler` and
    `ReduceLROnPlateau` work on both.

    Args:
        model: The model, with `d_optimizer` and `g_optimizer`.
    """

    built = True

    def __init__(self, model):
        self.d_optimizer = model.d_optimizer
        self.g_optimizer = model.g_optimizer
        self._ratio = 1.0
        self._remember_ratio()

    @property
    def learning_rate(self):
        """The generator's learning rate."""
        return self.g_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        if isinstance(
            learning_rate, keras.optimizers.schedules.LearningRateSchedule
        ):
            raise ValueError(
                "A schedule is for one optimizer: set `learning_rate` of "
                "`model.d_optimizer` and of `model.g_optimizer`. "
                f"Received: learning_rate={learning_rate}"
            )
        self._remember_ratio()
        # Keras raises an error for a schedule: read both before setting any.
        self.d_optimizer.learning_rate = learning_rate * self._ratio
        self.g_optimizer.learning_rate = learning_rate

    def _remember_ratio(self):
        rates = [
            float(optimizer.learning_rate.numpy())
            for optimizer in (self.d_optimizer, self.g_optimizer)
        ]
        if all(rates):  # rates of 0 keep the ratio
            self._ratio = rates[0] / rates[1]

    @property
    def iterations(self):
        """Steps that the generator has taken."""
        return self.g_optimizer.iterations

    @property
    def variables(self):
        """The variables of both optimizers."""
        return self._of_both("variables")

    # `keras.callbacks.SwapEMAWeights` needs these.

    @property
    def use_ema(self):
        """Whether both keep averages of their network's weights."""
        return self.d_optimizer.use_ema and self.g_optimizer.use_ema

    @property
    def _trainable_variables(self):
        return self._of_both("_trainable_variables")

    @property
    def _model_variables_moving_average(self):
        if not self.use_ema:
            raise AttributeError("Not both optimizers have `use_ema=True`.")
        return self._of_both("_model_variables_moving_average")

    @property
    def _distribution_strategy(self):
        return self.g_optimizer._distribution_strategy

    def _of_both(self, name):
        return [
            *getattr(self.d_optimizer, name),
            *getattr(self.g_optimizer, name),
        ]


def d_of_two(optimizer, d_optimizer, g_optimizer):
    """Finds the discriminator's optimizer among those given to `compile`.

    Args:
        optimizer: `None`, or the discriminator's, passed without a name.
        d_optimizer: The discriminator's, or `None`.
        g_optimizer: The generator's, or `None`.

    Returns:
        The discriminator's optimizer, unchanged, or `None`.

    Raises:
        ValueError: If one optimizer is given for both networks.

    Example:
        >>> d_of_two("sgd", None, "adam")
        'sgd'
    """
    each = (
        "The two networks are trained in turn and need an optimizer each: "
        "compile(d_optimizer=..., g_optimizer=...). Received: "
    )
    if optimizer is not None and (d_optimizer or not g_optimizer):
        raise ValueError(f"{each}optimizer={optimizer!r}")
    d_optimizer = d_optimizer or optimizer
    if d_optimizer is g_optimizer and not isinstance(
        d_optimizer, (str, dict, type(None))
    ):
        raise ValueError(
            f"{each}the same object as d_optimizer and g_optimizer"
        )
    return d_optimizer
