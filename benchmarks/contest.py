"""Timings of contestants, each in a process of its own, round after round.

A benchmark of speed names its contestants in two dictionaries: name ->
(function, settings of the environment). The function takes `quick` and
returns images, or what else is counted, a second; the batch size; and the
name of the data. Each timing
is a fresh process of the same script with `--worker NAME`, so that settings do
not leak; those of `workers` alternate for some rounds, those of `variants`
have one. With `--quick`, where nothing is timed, all of them run in the process
of the script, with steps that are not traced; settings are left out, and those
that differ in nothing else run once. Ratios are the medians of the ratios of
rounds, because absolute times do not repeat.
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import time

from report import argument_parser, peak_mib, trace_nothing

# A worker decides what is set before TensorFlow is imported, and the process
# that starts the workers never needs it: heavy imports are in the functions.


class Stopwatch:
    """Times images or the like, from the end of the warm-up on.

    Args:
        warm_up: Integer, how many pass before the clock starts.
        seconds: Float, how long to time.
    """

    def __init__(self, warm_up, seconds):
        self.warm_up = warm_up
        self.seconds = seconds
        self.start = None
        self.rate = None

    def tick(self, count):
        """Takes how many there were so far; tells whether it is enough."""
        now = time.perf_counter()
        if self.start is None:
            if count >= self.warm_up:
                self.start = now, count
            return False
        elapsed = now - self.start[0]
        self.rate = (count - self.start[1]) / elapsed
        return elapsed >= self.seconds


def seconds_to_time(quick):
    return 0.0 if quick else 12.0


@functools.cache
def digits(quick):
    """MNIST's training set where it is on disk, else `mnist_5k`'s."""
    from keras_genai import load_images

    split = "train[:32]" if quick else "train"
    images = load_images("mnist", split=split, offline=True)
    print(images, file=sys.stderr)
    return images


def fit(model, data, count, batch_size, watch):
    """Trains through `fit` until the stopwatch has had enough.

    Args:
        model: Compiled `keras.Model`.
        data: `tf.data.Dataset` of batches, or an array.
        count: Integer, images an epoch.
        batch_size: Integer.
        watch: `Stopwatch`.

    Returns:
        Float, images a second.
    """
    import keras

    before = 0  # images of the epochs that are over

    def start_epoch(epoch, logs):
        nonlocal before
        before = epoch * count

    def count_batch(batch, logs):
        if watch.tick(before + min((batch + 1) * batch_size, count)):
            model.stop_training = True

    model.fit(
        data,
        batch_size=None if hasattr(data, "element_spec") else batch_size,
        epochs=10_000,  # the stopwatch ends it
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_begin=start_epoch, on_train_batch_end=count_batch
            )
        ],
    )
    return watch.rate


def contest_parser(docstring):
    """The parser of every benchmark, with the arguments of a contest."""
    parser = argument_parser(docstring)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser


def measure(script, name, settings, quick, python=sys.executable):
    """Times one contestant in a process of its own.

    Args:
        script: Path of the benchmark that knows it.
        name: String, its name there.
        settings: Dictionary of what it finds in the environment.
        quick: Boolean. Whether two steps are enough.
        python: Path of the interpreter.

    Returns:
        Dictionary: `rate`, `batch_size`, `onednn`, `peak_mib`, `data`.
    """
    untouched = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("TF_")
    }
    process = subprocess.run(
        [python, script, "--worker", name] + ["--quick"] * quick,
        env={**untouched, **settings},
        capture_output=True,
        text=True,
    )
    if process.returncode:
        sys.exit(f"{name} failed:\n{process.stderr}")
    return json.loads(process.stdout.splitlines()[-1])


def work(contestants, options):
    """What the process of a worker does: time, and print the result."""
    function, _ = contestants[options.worker]
    if options.quick:
        trace_nothing()
    print(f"\n{json.dumps(timed(function, options.quick))}")


def timed(function, quick):
    """Times a contestant in this process; returns what `measure` does."""
    rate, batch_size, data = function(quick)
    onednn = None  # the contestant may do without TensorFlow
    if "tensorflow" in sys.modules:
        # As tensorflow.python.framework.test_util has it.
        from tensorflow.python.util._pywrap_util_port import IsMklEnabled

        onednn = IsMklEnabled()
    return {
        "rate": rate,
        "batch_size": batch_size,
        "onednn": onednn,
        "peak_mib": peak_mib(),
        "data": data,
    }


def contest(script, workers, variants, options, pythons=(), unit="images"):
    """Times all of them.

    Args:
        script: Path of the benchmark.
        workers: Dictionary of contestants, timed in every round.
        variants: Dictionary of contestants, timed once.
        options: What `contest_parser` parsed.
        pythons: Dictionary: name -> path of the interpreter, for contestants
            that have one of their own.
        unit: String, what is counted.

    Returns:
        Dictionary: name -> list of what `measure` returns, one a round.
    """
    rounds = 1 if options.quick else options.rounds
    if options.quick:
        trace_nothing()
    schedule = [*workers] * rounds + [*variants]
    contestants = {**workers, **variants}
    pythons = dict(pythons)

    results = {name: [] for name in schedule}
    here = functools.cache(timed)
    for name in schedule:
        function, settings = contestants[name]
        if options.quick and name not in pythons:
            result = here(function, quick=True)
        else:
            python = pythons.get(name, sys.executable)
            result = measure(script, name, settings, options.quick, python)
        results[name].append(result)
        print(f"{name}: {result['rate']:,.0f} {unit}/s", flush=True)
    return results


def summaries(results, unit="images"):
    """One row a contestant, for the report."""
    return [
        {
            "name": name,
            f"{unit}_per_s": statistics.median(_rates(of_name)),
            "rounds": [round(rate, 1) for rate in _rates(of_name)],
            "batch_size": of_name[0]["batch_size"],
            "onednn": of_name[0]["onednn"],
            "peak_mib": max(result["peak_mib"] for result in of_name),
            "data": of_name[0]["data"],
        }
        for name, of_name in results.items()
    ]


def median_ratio(results, name, other):
    """The median of the ratios of two contestants, round by round."""
    return statistics.median(
        rate / beside
        for rate, beside in zip(
            _rates(results[name]), _rates(results[other]), strict=True
        )
    )


def _rates(of_name):
    return [result["rate"] for result in of_name]
