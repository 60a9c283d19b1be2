"""The name of a data set -> the set: on disk, in a package, or downloaded."""

import difflib
import re
import shutil
import threading
from pathlib import Path

from keras_genai.extras import how_to_install


def find_source(name, offline_sets, stand_ins, offline, check=None):
    """Looks a name up: on disk, among the packaged sets, then in TFDS.

    Args:
        name: String.
        offline_sets: Dictionary: name of a packaged set -> its description.
        stand_ins: Dictionary: name -> name of the packaged set to take
            instead of a set that is not on disk and cannot be downloaded.
        offline: Boolean. Whether to use no network.
        check: Function of a builder that raises a `ValueError` if its set
            does not fit. It is called before a download.

    Returns:
        Pair of the name of the set that was found and its prepared
        `tfds.core.DatasetBuilder`, which is `None` for a packaged set.

    Raises:
        ValueError: If there is no such set.
        ConnectionError: If it must be downloaded and cannot be.
    """
    if _is_elsewhere(name):
        raise ValueError(
            "Expected a set of TFDS, a path or data: sets of "
            f"{name.partition(':')[0]} are not read by name. Save the set in "
            "a folder and give its path, or pass its data. "
            f"Received: source={name!r}"
        )
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name)
    except tfds.core.DatasetNotFoundError:
        builder = None
    except (AssertionError, ValueError) as error:
        if in_catalogue(name):  # known, but not this config or version
            raise ValueError(str(error)) from error
        builder = None
    # TFDS logs a warning if the folder is missing: look first.
    if (
        builder is not None
        and Path(builder.data_dir).is_dir()
        and builder.is_prepared()
    ):
        return name, builder
    if name in offline_sets:
        return name, None
    if builder is None:
        known = [*offline_sets, *tfds.list_builders()]
        near = difflib.get_close_matches(name, known, n=3) or [*offline_sets]
        raise ValueError(
            f"There is no data set of that name. Nearest: {', '.join(near)}. "
            "Give a folder or a file by its path. "
            f"Received: source={name!r}"
        )
    if check is not None:
        check(builder)
    if not offline and _is_reachable(_download_host(builder)):
        _download(builder)
        return name, builder

    why = "offline=True" if offline else "no network"
    stand_in = stand_ins.get(name)
    if stand_in is not None:
        print(
            f"{name}: not on disk, and {why}; taking {stand_in} instead "
            f"({offline_sets[stand_in]})."
        )
        return stand_in, None
    first = next(iter(offline_sets))
    raise ConnectionError(
        f"{name!r} is not prepared in {builder.data_dir} and cannot be "
        f"downloaded ({why}). Offline sets: {', '.join(offline_sets)} "
        f"(--dataset {first} on the command line; a set inside a package "
        f"needs {how_to_install('offline')}). For a prepared copy elsewhere, "
        "set the environment variable TFDS_DATA_DIR to its folder. "
        f"Received: source={name!r}"
    )


def in_catalogue(name):
    """Tells whether a name belongs to TFDS or to another catalogue.

    Args:
        name: String, with or without a config and a version.

    Returns:
        Boolean. It is also true for names such as `"huggingface:..."`: they
        are not paths, and `find_source` refuses them.
    """
    if _is_elsewhere(name):
        return True
    import tensorflow_datasets as tfds

    # A config and a version can follow the name: "celeb_a_hq/64:2.0.0".
    return name.split("/")[0].split(":")[0] in tfds.list_builders()


def _is_elsewhere(name):
    # A TFDS name can have a version behind the colon: "mnist:3.0.1".
    return re.match(r"[A-Za-z_]\w+:(?!experimental)[A-Za-z]", name) is not None


def _download_host(builder):
    urls = list(builder.url_infos or ())
    return urls[0].split("/")[2] if urls else "storage.googleapis.com"


def _is_reachable(host, seconds=2.5):
    # TFDS itself would retry for minutes. A thread, because looking up a host
    # can take longer than the time limit of a socket.
    import requests

    answers = []

    def ask():
        try:
            requests.head(f"https://{host}", timeout=seconds)
        except requests.RequestException:
            return
        answers.append(True)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answers)


def _download(builder):
    # root/name/version, or root/name/config/version
    *above, root = Path(builder.data_dir).parents[
        : len(Path(builder.info.full_name).parts)
    ]
    folders = [root, root / "downloads", *above]
    fresh = [folder for folder in folders if not folder.exists()]
    try:
        builder.download_and_prepare()
    except BaseException as error:
        for folder in fresh:
            shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, Exception):
            raise
        raise ConnectionError(
            f"The download of {builder.name!r} failed, and its files were "
            f"removed: {error}"
        ) from error
