"""The runtimes of exports, all called in the same way.

As a script it runs an export in a separate process, without `keras_genai`:

    python -P runtimes.py FORMAT EXPORT INPUTS.npz ANSWERS.npz

where the arrays are called `NUMBER/FUNCTION/ARGUMENT`.
"""

import sys


def load_saved_model(path):
    import tensorflow as tf

    signatures = tf.saved_model.load(str(path)).signatures

    def ask(name, inputs):
        inputs = {key: tf.constant(value) for key, value in inputs.items()}
        answers = signatures[name](**inputs)
        return {key: value.numpy() for key, value in answers.items()}

    return ask


def load_litert(path):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    runners = {
        name: interpreter.get_signature_runner(name)
        for name in interpreter.get_signature_list()
    }
    return lambda name, inputs: runners[name](**inputs)


def load_onnx(path):
    import onnxruntime

    sessions = {
        file.stem: onnxruntime.InferenceSession(file)
        for file in path.glob("*.onnx")
    }

    def ask(name, inputs):
        outputs = [output.name for output in sessions[name].get_outputs()]
        answers = sessions[name].run(outputs, inputs)
        return dict(zip(outputs, answers, strict=True))

    return ask


LOADERS = {
    "saved_model": load_saved_model,
    "litert": load_litert,
    "onnx": load_onnx,
}


def main():
    from pathlib import Path

    import numpy as np

    sys.modules["keras_genai"] = None  # so that its import fails
    runtime, path, given, answered = sys.argv[1:]
    requests, answers = {}, {}
    for key, value in np.load(given).items():
        number, function, argument = key.split("/")
        requests.setdefault((number, function), {})[argument] = value
    ask = LOADERS[runtime](Path(path))
    for (number, function), inputs in requests.items():
        for name, value in ask(function, inputs).items():
            answers[f"{number}/{function}/{name}"] = value
    np.savez(answered, **answers)


if __name__ == "__main__":
    main()
