"""Batches that depend only on (seed, epoch), as an endless run of epochs."""

import tensorflow as tf


def epoch_dataset(load_batch, num_batches, num_parallel_calls=None):
    """Makes a data set that counts its epochs.

    Each pass over it is the next epoch. The models' `fit` calls
    `dataset.set_epoch(epoch)`, so that a resumed run sees the same batches as
    an unbroken one.

    Args:
        load_batch: Function of two int64 scalar tensors, the epoch and the
            number of the batch in it.
        num_batches: Integer, batches of an epoch.
        num_parallel_calls: Integer, batches loaded at once, or `None` for one.

    Returns:
        `tf.data.Dataset` with the attribute `set_epoch`.
    """
    epochs = tf.Variable(0, dtype="int64", trainable=False)

    def start_epoch(_):
        epoch = epochs.read_value()
        epochs.assign_add(1)
        return epoch

    def one_epoch(epoch):
        return tf.data.Dataset.range(num_batches).map(
            lambda batch: load_batch(epoch, batch),
            num_parallel_calls=num_parallel_calls,
        )

    options = tf.data.Options()
    # On two cores autotuning stalled whole epochs of `fit`.
    options.autotune.enabled = False
    options.deterministic = True
    # On several machines each takes its share of every batch.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    dataset = (
        tf.data.Dataset.from_tensors(0)
        .map(start_epoch)
        .flat_map(one_epoch)
        .apply(tf.data.experimental.assert_cardinality(num_batches))
        .prefetch(2)
        .with_options(options)
    )
    dataset.set_epoch = epochs.assign
    return dataset
