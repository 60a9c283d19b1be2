"""Data of every kind, by name or by path, as `tf.data`."""
