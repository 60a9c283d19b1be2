"""Children that have TensorFlow from the start, and can be killed.

Importing TensorFlow takes longer than a small training. Here it is imported
once; as long as it has run nothing, it has no state and no threads of its own
that a fork could tear, and each child starts with it in milliseconds.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import sys
import tempfile
import time
import traceback

import keras_genai


def import_everything():
    """Imports what children need, and makes sure that nothing has run."""
    keras_genai.prepare_tensorflow()
    for name in ("cli.training", "evaluation", "data.images", "data.music"):
        importlib.import_module(f"keras_genai.{name}")
    for name in keras_genai.__all__:
        getattr(keras_genai, name)
    importlib.import_module("tensorflow_datasets")
    from tensorflow.python.eager import context

    if context.context()._context_handle is not None:
        raise RuntimeError("TensorFlow has run something before the fork.")


class Child:
    """A function in a process of its own.

    Args:
        function: Called with `mark`, a function that tells the parent a word,
            and with `arguments`. What it returns, JSON must hold.
        *arguments: Whatever.
        log: `pathlib.Path` of a file for what it prints.
    """

    def __init__(self, function, *arguments, log):
        sys.stdout.flush()
        self._log = log
        self._reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._be(function, arguments, writer, log)
        os.close(writer)
        self._buffer = b""
        self.result, self.finished = None, False
        self.marks = []  # pairs of a word and its time
        self._started = time.monotonic()

    def _be(self, function, arguments, writer, log):
        status = 1
        try:
            os.close(self._reader)
            with log.open("a") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            tempfile.tempdir = str(log.parent)  # a kill tidies nothing up
            sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
            sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)

            def mark(word):
                os.write(writer, json.dumps({"mark": word}).encode() + b"\n")

            result = function(mark, *arguments)
            os.write(writer, json.dumps({"result": result}).encode() + b"\n")
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def wait(self, word=None, seconds=86_400):
        """Waits for a mark, or for the end.

        Returns:
            Boolean: `False` if it ended, or took longer than `seconds`.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if word is not None and word in dict(self.marks):
                return True
            left = end - time.monotonic()
            if not select.select([self._reader], [], [], max(left, 0))[0]:
                break
            data = os.read(self._reader, 65536)
            if not data:
                return False
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            for line in lines:
                told = json.loads(line)
                if "mark" in told:
                    passed = time.monotonic() - self._started
                    self.marks.append((told["mark"], passed))
                else:
                    self.result, self.finished = told["result"], True
        return False

    def kill(self):
        """Ends it by SIGKILL, if it has not ended; whether it was so."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return self.join() == -signal.SIGKILL

    def returned(self):
        """Waits for its end.

        Returns:
            What the function returned.

        Raises:
            RuntimeError: If it failed, with the end of what it printed.
        """
        self.wait()
        if self.kill() or not self.finished:
            raise RuntimeError(self._log.read_text()[-3000:])
        return self.result

    def join(self):
        """Waits for the process to be gone; its exit code, as of Popen."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self._reader)
        return os.waitstatus_to_exitcode(status)


def run(function, *arguments, log):
    """Runs a function in a child to its end, and returns what it returned."""
    return Child(function, *arguments, log=log).returned()
