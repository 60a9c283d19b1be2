"""What tests share: folders and networks that are not there, processes."""

import fresh
import pytest


def pytest_collection_finish():
    """Where tests run, and not where they are only handed out."""
    fresh.make_graphs_quickly()
    fresh.tune_no_data()
    fresh.collect_garbage_rarely()


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


@pytest.fixture
def without_export(monkeypatch):
    """Runs end without an export, which takes longer than they do."""
    from keras_genai.runs import run

    monkeypatch.setattr(run, "checked_export", lambda *given: 0.0)


@pytest.fixture(autouse=True, scope="session")
def exports_in_forks():
    """Exports are asked in forks: some tests ask for `new_interpreter`."""
    from keras_genai.export import check, runtimes

    of_users = check, "_run_apart", check._run_apart
    script = (
        "import runpy;"
        f"runpy.run_path({runtimes.__file__!r}, run_name='__main__')"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            check, "_run_apart", lambda *given: fresh.run(script, *given)
        )
        yield of_users


@pytest.fixture
def new_interpreter(monkeypatch, exports_in_forks):
    """Exports are asked by a new interpreter, as for users."""
    monkeypatch.setattr(*exports_in_forks)
