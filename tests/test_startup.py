import os
import subprocess
import sys

import pytest

import keras_genai


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_import_is_quick_and_changes_nothing():
    done = run_python(
        "import os, random, sys, time\n"
        "before, state = dict(os.environ), random.getstate()\n"
        "started = time.perf_counter()\n"
        "import keras_genai\n"
        "seconds = time.perf_counter() - started\n"
        "assert dir(keras_genai) == sorted(keras_genai.__all__)\n"
        "assert dict(os.environ) == before\n"
        "assert random.getstate() == state\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert seconds < 0.5, seconds\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_data_imports_a_name_when_it_is_used():
    done = run_python(
        "import sys\n"
        "import keras_genai.data\n"
        "assert 'image_dataset' in dir(keras_genai.data)\n"
        "assert not {'tensorflow', 'numpy'} & set(sys.modules)\n"
        "try:\n"
        "    keras_genai.data.video_dataset\n"
        "except AttributeError as error:\n"
        "    assert 'video_dataset' in str(error)\n"
        "from keras_genai.data import Score, load_scores\n"
        "import keras_genai\n"
        "assert keras_genai.load_scores is load_scores\n"
    )
    assert done.returncode == 0, done.stderr


def test_command_line_starts_without_tensorflow():
    done = run_python(
        "import sys\n"
        "from keras_genai.cli import main\n"
        "assert main(['train', 'no_such_model']) == 2\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    assert done.returncode == 0, done.stderr
    assert "no model of that name" in done.stderr


def test_another_backend_is_refused():
    # Keras cannot be imported on a backend that is not installed: a stand-in
    # answers as Keras would where it is.
    done = run_python(
        "import os, sys, types\n"
        "keras = types.ModuleType('keras')\n"
        "backend = lambda: os.environ['KERAS_BACKEND']\n"
        "keras.config = types.SimpleNamespace(backend=backend)\n"
        "sys.modules['keras'] = keras\n"
        "import keras_genai\n"
        "keras_genai.DCGAN\n",
        KERAS_BACKEND="torch",
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert "KERAS_BACKEND=tensorflow" in last
    assert "Received: backend='torch'" in last


def test_prepare_tensorflow_is_quiet_and_turns_onednn_on():
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL")
    }
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, keras_genai\n"
            "os.environ['TF_CPP_MIN_LOG_LEVEL'] = '2'\n"
            "assert keras_genai.prepare_tensorflow()\n"
            "assert not keras_genai.prepare_tensorflow()\n"
            "assert os.environ['TF_ENABLE_ONEDNN_OPTS'] == '1'\n"
            "assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == '2'\n",
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_prepare_tensorflow_shows_why_an_import_failed():
    done = run_python(
        "import os, sys, keras_genai\n"
        "sys.modules['keras'] = None\n"
        "keras_genai.prepare_tensorflow()\n"
    )
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


def test_every_public_name_is_there():
    for name in keras_genai.__all__:
        assert getattr(keras_genai, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'VQGAN'"):
        _ = keras_genai.VQGAN
