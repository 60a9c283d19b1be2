"""What a step and an exchange of gradients cost, and what many workers gain.

The claim is a prediction, and says so: with the default batch a worker, how
much of N workers' time goes into training, and how much into adding up their
gradients, for 8, 64 and 512 workers and every family that has gradients.
Measured here are two things:

- the seconds of a training step of each family on one device, by its default
  recipe (real digits, characters and chorales from packages, the same shapes
  as any other), and what it would exchange: the gradients of each optimizer's
  step, which TensorFlow packs into one exchange, of a Wasserstein GAN's critic
  several times, and the sums and sizes of batches;
- the seconds in which two processes on this machine's loopback address add up
  tensors of several sizes by TensorFlow's own collectives, to which
  `latency + bytes / bandwidth` is fitted.

The model on paper. In each exchange a ring of N workers passes 2 (N - 1)
messages of a 1/N of it, and nothing is computed meanwhile:

    exchange(N) = 2 (N - 1) latency + 2 (N - 1) / N * bytes / bandwidth
    efficiency(N) = step / (step + sum of exchange(N))

For a small model the latency decides, which grows with N: a tree or a larger
batch a worker is then the remedy. Beside this machine's loopback the rows
have two networks whose figures are assumptions, not measurements: Ethernet of
10 Gbit/s (50 microseconds a message), and InfiniBand of 200 Gbit/s (5).

    python benchmarks/scaling.py [--seconds 5] [--json FILE] [--quick]

`--seconds` is how long the steps of each family are timed; the quickest
counts, which other work disturbs least. Data come from
packages alone; `TFDS_DATA_DIR` changes nothing.
"""

import contextlib
import dataclasses
import json
import math
import multiprocessing
import os
import socket
import tempfile
import time
from pathlib import Path
from unittest import mock

import forked
from report import argument_parser, bar, publish

NETWORKS = {  # seconds a message, bytes a second
    "Ethernet 10 Gbit/s": (50e-6, 1.25e9),
    "InfiniBand 200 Gbit/s": (5e-6, 25e9),
}
WORKERS = (8, 64, 512)
SIZES = (1_000, 10_000, 100_000, 1_000_000, 4_000_000)  # floats


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    sizes = SIZES[:3] if options.quick else SIZES
    forked.import_everything()
    exchanged = measured_exchange(sizes, 3 if options.quick else 20)
    latency, bandwidth = fitted(exchanged)
    networks = {"loopback, measured": (latency, bandwidth), **NETWORKS}

    rows = [
        {"name": f"{size * 4:,} bytes added up by two", "seconds": seconds}
        for size, seconds in exchanged.items()
    ]
    rows.append(
        {
            "name": "a message",
            "seconds": latency,
            "bytes_a_second": bandwidth,
        }
    )
    from keras_genai.recipes import RECIPES

    families = [name for name in RECIPES if name != "markov"]
    worst = 1.0
    for family in ["vae"] if options.quick else families:
        recipe = packaged(family)
        step = measured_step(recipe, 0.1 if options.quick else options.seconds)
        sizes = exchanges(recipe)
        for network, (latency, bandwidth) in networks.items():
            shares = {
                f"predicted_{workers}": efficiency(
                    step, sizes, workers, latency, bandwidth
                )
                for workers in WORKERS
            }
            if network == "InfiniBand 200 Gbit/s":
                worst = min(worst, shares["predicted_8"])
            rows.append(
                {
                    "name": f"{family}, {network}",
                    "step_seconds": step,
                    "exchanges": len(sizes),
                    "exchanged_bytes": sum(sizes),
                    **shares,
                }
            )
    publish(
        rows,
        [bar("least efficiency predicted, 8 on InfiniBand", worst, ">=", 0.9)],
        options.json,
    )


def efficiency(step, sizes, workers, latency, bandwidth):
    """The share of the time that is training, of a ring of workers."""
    passes = 2 * (workers - 1)
    exchange = sum(
        passes * latency + passes / workers * size / bandwidth for size in sizes
    )
    return step / (step + exchange)


def packaged(family, **model_arguments):
    """The default recipe of a family, on data that come with a package."""
    import keras_genai

    keras_genai.prepare_tensorflow()
    recipe = keras_genai.get_recipe(family)
    if recipe.makes == "text":
        recipe = dataclasses.replace(recipe, source="python_topics")
    arguments = {**recipe.model_arguments, **model_arguments}
    return dataclasses.replace(recipe, model_arguments=arguments)


def measured_step(recipe, seconds, xla=False):
    """Seconds of a training step."""
    import tensorflow as tf

    dataset = recipe.dataset(seed=0)
    model = recipe.model(dataset, seed=0)
    # As Keras has it, without AutoGraph.
    step = tf.function(model.train_step, jit_compile=xla, autograph=False)
    batch = next(iter(dataset))
    step(batch)
    times = []
    while sum(times) < seconds or len(times) < 3:
        start = time.perf_counter()
        outputs = step(batch)
        next(iter(outputs.values())).numpy()  # it is done
        times.append(time.perf_counter() - start)
    return min(times)  # what other work disturbs least


def exchanges(recipe):
    """Bytes of each exchange in a training step, as two replicas trace it."""
    import tensorflow as tf

    from keras_genai import replicas
    from keras_genai.models.core.base import GenerativeModel

    dataset = recipe.dataset(seed=0)
    model = recipe.model(dataset, seed=0)
    minimize, exchanged = GenerativeModel.minimize, []

    def counted(model, loss, tape, network=None, optimizer=None):
        before = len(exchanged)
        minimize(model, loss, tape, network, optimizer)
        variables = (network or model).trainable_variables
        gradients = [variable.value for variable in variables]
        # What was exchanged meanwhile are gradients too, to be clipped.
        times = len(exchanged) - before + 1
        exchanged[before:] = [gradients] * times

    class Replica:
        replica_id_in_sync_group, num_replicas_in_sync = 0, 2

        def all_reduce(self, operation, tensors):
            exchanged.append(tf.nest.flatten(tensors))
            return tensors

    step = tf.function(model.train_step, autograph=False)
    with (
        mock.patch.object(replicas, "_replica", Replica),
        mock.patch.object(GenerativeModel, "minimize", counted),
    ):
        step.get_concrete_function(next(iter(dataset)))
    return [
        sum(each.dtype.size * math.prod(each.shape) for each in tensors)
        for tensors in exchanged
    ]


def measured_exchange(sizes, repeats):
    """Number of floats -> seconds in which two processes add them up."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    both_done = multiprocessing.Barrier(2)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        children = [
            forked.Child(
                exchange, workers, index, sizes, repeats, both_done, log=log
            )
            for index in range(2)
        ]
        seconds, _ = (child.returned() for child in children)
    return dict(zip(sizes, seconds, strict=True))


def exchange(mark, workers, index, sizes, repeats, both_done):
    """What each of the two does: gives the least seconds of each size."""
    import tensorflow as tf

    os.environ["TF_CONFIG"] = json.dumps(
        {
            "cluster": {"worker": workers},
            "task": {"type": "worker", "index": index},
        }
    )
    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    def on_replica(values):
        replica = tf.distribute.get_replica_context()
        # What comes in has no device yet, which the exchange asks for.
        values = tf.identity(values)
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, values)

    @tf.function
    def add_up(values):
        return strategy.run(on_replica, args=(values,))

    least = []
    for size in sizes:
        values = tf.ones(size)
        add_up(values)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            (mine,) = strategy.experimental_local_results(add_up(values))
            mine[0].numpy()
            times.append(time.perf_counter() - start)
        least.append(min(times))
    both_done.wait(60)  # the end of one breaks what the other still receives
    return least


def fitted(exchanged):
    """Latency and bandwidth of one message, by least squares.

    Two workers pass two messages of half the bytes each.
    """
    import numpy as np

    sizes = np.array(list(exchanged)) * 4.0
    matrix = np.stack([np.full(len(sizes), 2.0), sizes], axis=1)
    seconds = np.array(list(exchanged.values()))
    # In relation to each time, so that short ones count too.
    solution, *_ = np.linalg.lstsq(
        matrix / seconds[:, None], np.ones(len(sizes)), rcond=None
    )
    latency, seconds_a_byte = np.maximum(solution, [1e-7, 1e-12])
    return float(latency), float(1.0 / seconds_a_byte)


def free_ports(count):
    """Held together, so that they are different."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in found]


if __name__ == "__main__":
    main()
