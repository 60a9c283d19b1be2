"""LSTM: the layer, its recurrence, and the gradient back through time."""

import keras
import tensorflow as tf
from keras import layers, ops


class LSTM(layers.Layer):
    """A layer of long short-term memory, all times of a window in one call.

        i, f, g, o = x W + h U + b        input, forget, new, output
        c <- sigmoid(f) c + sigmoid(i) tanh(g)
        h <- sigmoid(o) tanh(c)

    It has the weights and the results of `keras.layers.LSTM`, and trains
    faster: the product with `W` and the gradients of `W` and `U` are single
    products over all times, where Keras makes one for each time.

    Args:
        hidden_dim: Integer, the size of `h` and of `c`.
        seeds: Iterator of integers, as from `layer_seeds`.
        name: String, or `None`.

    Call arguments:
        x: Float tensor `(batch, length, input_dim)`.
        state: Pair of float tensors `(batch, hidden_dim)`: `h` and `c` before
            the first time.

    Returns:
        Pair: `h` after each time, `(batch, length, hidden_dim)`, and the pair
        of `h` and `c` after the last time.
    """

    def __init__(self, hidden_dim, seeds, name=None):
        super().__init__(name=name)
        self.hidden_dim = hidden_dim
        self.seeds = [next(seeds) for _ in range(2)]

    def build(self, input_shape):
        kernel, recurrent_kernel = self.seeds
        width = 4 * self.hidden_dim
        self.kernel = self.add_weight(  # W
            (input_shape[-1], width),
            keras.initializers.GlorotUniform(kernel),
            name="kernel",
        )
        self.recurrent_kernel = self.add_weight(  # U
            (self.hidden_dim, width),
            keras.initializers.Orthogonal(seed=recurrent_kernel),
            name="recurrent_kernel",
        )
        self.bias = self.add_weight((width,), _first_bias, name="bias")

    def call(self, x, state):
        # x W + b for all times at once, and only h U within the loop.
        x = ops.matmul(x, self.kernel) + self.bias
        h, last_h, last_c = recur(
            ops.transpose(x, (1, 0, 2)),  # (length, batch, 4 * hidden_dim)
            ops.cast(self.recurrent_kernel, x.dtype),
            *state,
        )
        return ops.transpose(h, (1, 0, 2)), (last_h, last_c)


def _first_bias(shape, dtype=None):
    """0, and 1 for the forget gates: at first little is forgotten.

    Reference:
        Jozefowicz et al., An empirical exploration of recurrent network
        architectures, 2015.
    """
    i, f, g, o = ops.split(ops.zeros(shape, dtype), 4)
    return ops.concatenate([i, f + 1, g, o])


@tf.custom_gradient
def recur(x, kernel, h, c):
    """Runs the recurrence, and back through time for its gradient.

    The gradient is written out below because TensorFlow's own would make one
    product a time for the gradient of `U`. Here it is one for all times.

    Args:
        x: Float tensor `(length, batch, 4 * hidden_dim)`, `x W + b`: the
            share of the inputs in the gates `i, f, g, o`.
        kernel: Float tensor `(hidden_dim, 4 * hidden_dim)`, `U`.
        h: Float tensor `(batch, hidden_dim)`.
        c: Float tensor like `h`.

    Returns:
        Three float tensors: `h` after each time, `(length, batch,
        hidden_dim)`; the last `h`; the last `c`.

    Reference:
        Hochreiter and Schmidhuber, 1997; Gers et al., Learning to forget,
        2000; Werbos, Backpropagation through time, 1990.
    """
    before_h, before_c, gates, last_h, last_c = _forward(x, kernel, h, c)
    after_h = tf.concat([before_h[1:], last_h[None]], axis=0)

    def gradient(d_after_h, d_last_h, d_last_c):
        after_c = tf.concat([before_c[1:], last_c[None]], axis=0)
        return _backward(
            kernel,
            before_h,
            before_c,
            after_c,
            gates,
            d_after_h,
            d_last_h,
            d_last_c,
        )

    return (after_h, last_h, last_c), gradient


def _forward(x, kernel, h, c):
    """All times, the first one first.

    Returns:
        `h` and `c` before each time, `(length, batch, hidden_dim)`; the gates
        at each time, `(length, batch, 4 * hidden_dim)`; the last `h` and `c`.
    """
    length, width = tf.shape(x)[0], kernel.shape[0]

    def step(time, h, c, all_h, all_c, all_gates):
        all_h, all_c = all_h.write(time, h), all_c.write(time, c)
        # i, f, g, o = x W + b + h U, each (batch, hidden_dim)
        i, f, g, o = tf.split(x[time] + tf.matmul(h, kernel), 4, axis=1)
        i, f, o = tf.sigmoid(i), tf.sigmoid(f), tf.sigmoid(o)
        g = tf.tanh(g)
        all_gates = all_gates.write(time, tf.concat([i, f, g, o], axis=1))
        # c <- f c + i g
        c = f * c + i * g
        # h <- o tanh(c)
        h = o * tf.tanh(c)
        return time + 1, h, c, all_h, all_c, all_gates

    _, last_h, last_c, *arrays = tf.while_loop(
        lambda time, *_: time < length,
        step,
        (0, h, c, _array(x, width), _array(x, width), _array(x, 4 * width)),
    )
    before_h, before_c, gates = (array.stack() for array in arrays)
    return before_h, before_c, gates, last_h, last_c


def _backward(
    kernel,
    before_h,
    before_c,
    after_c,
    gates,
    d_after_h,
    d_last_h,
    d_last_c,
):
    """All times, the last one first. `d_a` is the loss's slope along `a`.

    Returns:
        The gradients of `x`, `kernel`, and the first `h` and `c`.
    """
    length, width = tf.shape(gates)[0], kernel.shape[0]
    i, f, g, o = tf.split(gates, 4, axis=2)
    tanh_c = tf.tanh(after_c)
    # How much c = f c' + i g moves with each gate, where c' is the c before.
    # The slope of a sigmoid s is s (1 - s), that of a tanh t is 1 - t^2.
    # Nothing here depends on other times, so all times are done at once.
    c_by_ifg = tf.concat(
        [
            g * i * (1 - i),
            before_c * f * (1 - f),
            i * (1 - g * g),
        ],
        axis=2,
    )  # (length, batch, 3 * hidden_dim)
    # How much h = o tanh(c) moves with o, and with c.
    h_by_o = tanh_c * o * (1 - o)
    h_by_c = o * (1 - tanh_c * tanh_c)

    def step(time, d_h, d_c, all_d_gates):
        # h goes to the outputs as well as to the next time.
        d_h += d_after_h[time]
        # d_c <- d_c + d_h o (1 - tanh(c)^2)
        d_c += d_h * h_by_c[time]
        # d_i, d_f, d_g = d_c c_by_ifg,  d_o = d_h h_by_o
        d_ifg = tf.tile(d_c, (1, 3)) * c_by_ifg[time]
        d_gates = tf.concat([d_ifg, d_h * h_by_o[time]], axis=1)
        all_d_gates = all_d_gates.write(time, d_gates)
        # To the time before: d_h = d_gates U^T,  d_c = d_c f
        d_h = tf.matmul(d_gates, kernel, transpose_b=True)
        return time - 1, d_h, d_c * f[time], all_d_gates

    _, d_first_h, d_first_c, all_d_gates = tf.while_loop(
        lambda time, *_: time >= 0,
        step,
        (length - 1, d_last_h, d_last_c, _array(gates, 4 * width)),
    )
    d_x = all_d_gates.stack()  # x is added to the gates
    # d_U = the sum over all times of h^T d_gates, as one product
    d_kernel = tf.matmul(
        tf.reshape(before_h, (-1, width)),
        tf.reshape(d_x, (-1, 4 * width)),
        transpose_a=True,
    )
    return d_x, d_kernel, d_first_h, d_first_c


def _array(like, width):
    """Room for a tensor `(batch, width)` at each time."""
    return tf.TensorArray(
        like.dtype, tf.shape(like)[0], element_shape=(like.shape[1], width)
    )
