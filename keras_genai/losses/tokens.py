"""Losses of language models."""

from keras import ops


def next_token_losses(logits, targets):
    """Cross-entropy of the next token, at each position.

    Computes `-log p(target)`, with `p = softmax(logits)`.

    Args:
        logits: Float tensor `(batch, length, vocabulary_size)`.
        targets: Integer tensor `(batch, length)`; -1 is ignored.

    Returns:
        Pair of float32 tensors `(batch, length)`: losses in nats, and
        weights of 1. Both are 0 where the target is ignored.

    Example:
        >>> losses, weights = next_token_losses(
        ...     ops.zeros((1, 3, 4)), ops.array([[2, 0, -1]])
        ... )
        >>> losses.numpy().round(3)
        array([[1.386, 1.386, 0.   ]], dtype=float32)
        >>> weights.numpy()
        array([[1., 1., 0.]], dtype=float32)
    """
    is_target = targets >= 0
    losses = ops.sparse_categorical_crossentropy(
        ops.where(is_target, targets, 0),
        ops.cast(logits, "float32"),
        from_logits=True,
    )
    weights = ops.cast(is_target, "float32")
    return losses * weights, weights
