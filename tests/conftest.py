"""TensorFlow, imported once and quietly, before any test module does."""

import pytest

from keras_genai import prepare_tensorflow

prepare_tensorflow()


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Keeps what is trained and cached away from the user's folder."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("KERAS_GENAI_CACHE", str(folder))
        yield folder


@pytest.fixture
def no_tfds_sets(tmp_path, monkeypatch):
    """Points TFDS at a folder that does not exist yet, and returns it."""
    import tensorflow_datasets as tfds

    folder = tmp_path / "tfds"
    # TFDS reads the environment variable only once, when it is imported.
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(folder))
    return folder


@pytest.fixture
def no_network(monkeypatch):
    """Makes every look-up of a host fail at once."""
    import socket

    def refuse(*args, **kwargs):
        raise socket.gaierror("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
