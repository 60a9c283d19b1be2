"""The loss of a text of any length, each token scored once."""

import tensorflow as tf

from keras_genai.losses import next_token_losses

_NO_LIMIT = 512  # tokens of a window, where a model has no limit
_BATCH = 16  # windows scored at once


def total_nats(model, token_ids):
    """Adds up the losses of all tokens but the first.

    A text that is longer than the model looks back is scored in windows, each
    half a window further than the one before. The first window scores all of
    its tokens, the others only their newer half, so that each token is scored
    once, with at least half a window as its context:

        [ scored | scored ]
                 [ context | scored ]
                           [ context | scored ]

    Args:
        model: `LanguageModel`.
        token_ids: Int32 tensor `(length,)`, two tokens or more.

    Returns:
        Float scalar tensor, nats.

    Example:
        >>> from keras_genai import MarkovChain
        >>> model = MarkovChain(vocabulary_size=4)  # nothing is counted yet
        >>> round(float(total_nats(model, tf.constant([0, 1, 2]))), 3)
        2.773
    """
    length = model.max_sequence_length or _NO_LIMIT
    stride = max(1, length // 2)
    # How many windows reach the last target, in whole batches. Windows after
    # the end of the text have no targets.
    count = tf.size(token_ids) - 1  # targets
    windows = 1 + _ceiling(tf.maximum(count - length, 0), stride)
    batches = _ceiling(windows, _BATCH)
    starts = tf.range(batches * _BATCH)[:, None] * stride  # (windows, 1)
    places = starts + tf.range(length)[None]  # (windows, length)
    # The inputs and their targets, the next tokens; -1 is not scored.
    inputs = tf.gather(token_ids, tf.minimum(places, count))
    newer_half = places >= starts + length - stride
    is_scored = (newer_half | (starts == 0)) & (places < count)
    targets = tf.gather(token_ids, tf.minimum(places + 1, count))
    targets = tf.where(is_scored, targets, -1)

    def nats(batch):
        inputs, targets = batch  # (_BATCH, length)
        logits = model(inputs, training=False)
        losses, _ = next_token_losses(logits, targets)
        return tf.reduce_sum(losses)

    batched = [
        tf.reshape(each, (-1, _BATCH, length)) for each in (inputs, targets)
    ]
    return tf.reduce_sum(
        tf.map_fn(nats, batched, fn_output_signature=tf.float32)
    )


def _ceiling(number, divisor):
    """`number / divisor`, rounded up."""
    return (number + divisor - 1) // divisor
