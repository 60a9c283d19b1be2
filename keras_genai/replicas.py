"""Sums and draws that the replicas of a `tf.distribute` strategy share.

A step of several devices must equal the step of one device on the whole batch.
Each replica has its share of the examples; optimizers add up the gradients of
all. So a mean is divided by the size of the whole batch. Random numbers for
examples are drawn for the whole batch, the same on every replica, and each
replica takes its rows. Without a strategy, or with a single replica, each
function here works as on one device.
"""

import os

import keras
import tensorflow as tf
from keras import ops


def get_strategy(name):
    """Looks up how devices share the training of one model.

    Args:
        name: `"mirrored"`, for all GPUs of this machine, or without a GPU for
            all its logical CPUs; `"multiworker"`, for the machines that the
            environment variable `TF_CONFIG` names, before TensorFlow has
            computed anything; or `None`, for the strategy that is in scope.

    Returns:
        `tf.distribute.Strategy`.

    Raises:
        ValueError: If there is no such strategy, or no `TF_CONFIG`.

    Example:
        >>> get_strategy(None).num_replicas_in_sync
        1
    """
    if name is None:
        return tf.distribute.get_strategy()
    if name == "mirrored":
        devices = (
            tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU")
        )
        named = next(filter(None, devices))
        return tf.distribute.MirroredStrategy([each.name for each in named])
    if name == "multiworker":
        if "TF_CONFIG" not in os.environ:
            raise ValueError(
                "Several machines find each other by the environment variable "
                'TF_CONFIG: {"cluster": {"worker": ["HOST:PORT", ...]}, '
                '"task": {"type": "worker", "index": 0}}. Received: none'
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    raise ValueError(
        'Expected a strategy "mirrored" or "multiworker". '
        f"Received: strategy={name!r}"
    )


def is_chief(name):
    """Whether this process writes the files, the only one of all machines.

    Args:
        name: As for `get_strategy`.

    Returns:
        Boolean, always `True` if there is only one machine.

    Example:
        >>> is_chief("mirrored")
        True
    """
    if name != "multiworker":
        return True
    machines = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    chief = "chief" if "chief" in machines.cluster_spec().jobs else "worker"
    return machines.task_type == chief and machines.task_id == 0


def batch_mean(values):
    """This replica's share of the mean over the whole batch.

    The shares of all replicas add up to the mean, and so do their gradients.

    Args:
        values: Float tensor `(batch, ...)`.

    Returns:
        Float tensor `(...)`.

    Example:
        >>> float(batch_mean(ops.array([1.0, 2.0, 6.0])))
        3.0
    """
    count = ops.cast(ops.shape(values)[0], values.dtype)
    return ops.sum(values, axis=0) / total(count)


def total(*values):
    """Adds up tensors over all replicas, without their gradients.

    Several are added up in one exchange, which on a network costs less than
    one for each.

    Args:
        *values: Float tensors of one dtype, of any shapes.

    Returns:
        Float tensor like the one in `values`, the same on every replica; or a
        list of them, if there are several.

    Example:
        >>> sums, count = total(ops.array([6.0, 9.0]), ops.array(3.0))
        >>> (sums / count).numpy()
        array([2., 3.], dtype=float32)
    """
    replica = _replica()
    totals = list(values)
    if replica is not None:
        totals = replica.all_reduce(
            tf.distribute.ReduceOp.SUM, [*map(ops.stop_gradient, values)]
        )
    return totals if len(totals) > 1 else totals[0]


def draw(random, shape, *args, **kwargs):
    """Draws the same numbers for examples as one device would.

    Every replica draws for the whole batch and keeps its own rows.

    Args:
        random: Function of a shape, such as `keras.random.normal`.
        shape: `(batch, ...)`, of this replica's share of the batch.
        *args: For `random`.
        **kwargs: For `random`, including `seed`: an integer, or a
            `keras.random.SeedGenerator` in the same state everywhere.

    Returns:
        Tensor of that shape.

    Example:
        >>> draw(keras.random.uniform, (2, 3), seed=0).shape
        TensorShape([2, 3])
    """
    replica = _replica()
    if replica is None:
        return random(shape, *args, **kwargs)
    # In an uneven batch the last replicas have fewer examples, or no example.
    number = replica.replica_id_in_sync_group
    mine = tf.one_hot(number, replica.num_replicas_in_sync, dtype="int32")
    sizes = replica.all_reduce(tf.distribute.ReduceOp.SUM, mine * shape[0])
    start = tf.cumsum(sizes, exclusive=True)[number]
    rows = random((tf.reduce_sum(sizes), *shape[1:]), *args, **kwargs)
    return rows[start : start + shape[0]]


def whole_gradients(gradients, optimizer):
    """Adds up the gradients of all replicas before an optimizer steps.

    Keras's optimizers clip each replica's share, then add; and its loss
    scaling looks for overflow only in the share of the first replica.

    Args:
        gradients: List of tensors, this replica's; some may be `None`.
        optimizer: `keras.optimizers.Optimizer` that will use them.

    Returns:
        List like `gradients`: unchanged if the optimizer does not clip and
        scale. Otherwise the replicas' lists add up to the clipped sum, and if
        one replica has a number that is not finite, all have one.
    """
    replica = _replica()
    scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    inner = optimizer.inner_optimizer if scales else optimizer
    clips = any(
        getattr(inner, name) is not None
        for name in ("clipnorm", "global_clipnorm", "clipvalue")
    )
    if replica is None or not (scales or clips):
        return gradients
    there = [index for index, each in enumerate(gradients) if each is not None]
    summed = replica.all_reduce(
        tf.distribute.ReduceOp.SUM, [gradients[index] for index in there]
    )
    if clips:
        scale = optimizer.scale_loss(1.0)
        summed = [ops.divide(each, scale) for each in summed]
        summed = inner._clip_gradients(summed)
        summed = [ops.multiply(each, scale) for each in summed]
    whole = list(gradients)
    for index, gradient in zip(there, summed, strict=True):
        # Too short to be clipped again.
        whole[index] = ops.divide(gradient, replica.num_replicas_in_sync)
    return whole


def synchronize_batch_normalization(model):
    """Makes BatchNorm normalise by the whole batch on several devices.

    By default each replica normalises its share by the share's own mean and
    variance, as nearly all code for several GPUs does: this is faster, but
    differs from the step of one device, most of all for small shares.

    Args:
        model: `keras.Model`, not trained yet by `fit`.

    Returns:
        Integer, how many layers were changed.

    Example:
        >>> layer = keras.layers.BatchNormalization()
        >>> synchronize_batch_normalization(keras.Sequential([layer]))
        1
    """
    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    for layer in layers:
        layer.synchronized = True
    return len(layers)


def on_several_machines():
    """Whether the strategy in use is one of several machines."""
    strategy = tf.distribute.get_strategy()
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def _replica():
    """The context of this replica, if there are several."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return None
    return replica
