"""Files that are not what they say, for as long as you like.

The claim: whatever bytes a file has, each loader returns what it is for, or
raises a `ValueError` or an `OSError` that names the file; within seconds, and
within a gibibyte.

    pip install "keras-genai[fuzz]"
    python benchmarks/fuzz_loaders.py --seconds 60

Each loader begins with a good file. With atheris, bytes are chosen by which
lines of the loader and its parsers they reach; without it, by chance. What
breaks the claim is left in the working directory, as `LOADER-SHA.bin`. No data
set is read, `TFDS_DATA_DIR` or not.

Then come files that are refused for what they are: models of other names,
pipes, sockets, devices and folders where files are expected, and files of
sizes that would take minutes. `--quick` leaves the large ones out.
"""

import functools
import hashlib
import io
import json
import os
import random
import re
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

from report import argument_parser, bar, publish

_MEMORY = 2**30  # more than what it takes to start
_SLOW = 10  # seconds
_OTHER = 2**31 - 1  # a length, a size or a count that nothing has


# --- Loaders: name -> suffix, a good file, what reads it ---------------------


def _npz():
    import numpy as np

    buffer = io.BytesIO()
    images = np.arange(6 * 16, dtype="uint8").reshape(6, 4, 4)
    np.savez(buffer, images=images, labels=np.arange(6))
    return buffer.getvalue()


def _picture(kind):
    def make():
        import numpy as np
        from PIL import Image

        buffer = io.BytesIO()
        pixels = np.arange(192, dtype="uint8").reshape(8, 8, 3)
        Image.fromarray(pixels).save(buffer, kind)
        return buffer.getvalue()

    return make


def _text():
    return "To be, or not to be: naïve 你好 🙂\n".encode() * 4


def _tokenizer():
    import keras

    import keras_genai

    tokenizer = keras_genai.BytePairTokenizer([(104, 101), (256, 114)])
    config = keras.saving.serialize_keras_object(tokenizer)
    return json.dumps(config).encode()


def _midi():
    from keras_genai.data.music import Score
    from keras_genai.data.music.midi import midi_bytes

    return midi_bytes(Score([[60, 48], [-1, 50], [62, -2], [64, 47]]))


def _record():
    import dataclasses

    import keras_genai
    from keras_genai.runs import versions

    recipe = dataclasses.asdict(keras_genai.get_recipe("gan"))
    record = {"status": "complete", "recipe": recipe, "seed": 0}
    record |= {"deterministic": False, "offline": True, "seconds": 1.0}
    record |= {"versions": versions(), "final": {"epoch": 1, "loss": 0.5}}
    return json.dumps(record).encode()


def _history():
    return b"epoch,loss,val_loss\r\n0,0.5,NA\r\n1,0.25,NA\r\n"


def _about():
    about = {"family": "ConditionalGAN", "makes": "images"}
    about |= {"image_shape": [28, 28, 1], "latent_dim": 64, "num_classes": 10}
    return json.dumps(about, indent=2).encode()


@functools.cache
def _model():
    import keras_genai

    model = keras_genai.VAE((4, 4, 1), 1, networks="dense", seed=0)
    model.compile()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def _read_images(path):
    import keras_genai

    return keras_genai.load_images(path, "train")


def _read_folder(path):
    import keras_genai

    return keras_genai.load_images(path.parent, "train")


def _read_text(path):
    import keras_genai

    return keras_genai.load_text(path)


def _read_tokenizer(path):
    import keras_genai

    return keras_genai.load_tokenizer(path)


def _read_midi(path):
    import keras_genai

    return keras_genai.read_midi(path)


def _read_record(path):
    from keras_genai.runs import Run

    return Run.open(path.parent).record()


def _read_history(path):
    from keras_genai.runs import Run

    return Run(path.parent).history()


def _read_about(path):
    from keras_genai.export import read_about

    return read_about(path.parents[1])


def _read_drawing(path):
    from keras_genai.demo.drawing import read_picture

    try:
        return read_picture(path)
    except ValueError as error:  # of an upload, which has no name
        raise ValueError(f"{path.name}: {error}") from error


def _read_model(path):
    import keras_genai

    return keras_genai.load_model(path)


LOADERS = {
    "npz": ("data.npz", _npz, _read_images),
    "png": ("picture.png", _picture("PNG"), _read_folder),
    "jpeg": ("picture.jpg", _picture("JPEG"), _read_folder),
    "gif": ("picture.gif", _picture("GIF"), _read_folder),
    "bmp": ("picture.bmp", _picture("BMP"), _read_folder),
    "webp": ("picture.webp", _picture("WEBP"), _read_folder),
    "tiff": ("picture.tif", _picture("TIFF"), _read_folder),
    "ppm": ("picture.ppm", _picture("PPM"), _read_folder),
    "text": ("text.txt", _text, _read_text),
    "tokenizer": ("tokenizer.json", _tokenizer, _read_tokenizer),
    "midi": ("score.mid", _midi, _read_midi),
    "record": ("run.json", _record, _read_record),
    "history": ("history.csv", _history, _read_history),
    "about": ("assets.extra/keras_genai.json", _about, _read_about),
    "drawn_png": ("drawing.png", _picture("PNG"), _read_drawing),
    "drawn_jpeg": ("drawing.jpg", _picture("JPEG"), _read_drawing),
    "drawn_webp": ("drawing.webp", _picture("WEBP"), _read_drawing),
    "keras": ("model.keras", _model, _read_model),
}


class Reader:
    """Reads bytes as a file, by one of the loaders.

    Args:
        name: String, one of `LOADERS`.
        folder: `pathlib.Path` of an empty folder.

    Attributes:
        good: Bytes that are read without a word.
    """

    def __init__(self, name, folder):
        file, make, self.load = LOADERS[name]
        self.path, self.good = folder / file, make()
        self.path.parent.mkdir(exist_ok=True)

    def read(self, data):
        """Whether it was read, rather than refused.

        Raises:
            Exception: If it is refused in another way than by an error that
                names the file.
        """
        self.path.write_bytes(data)
        try:
            self.load(self.path)
        except (ValueError, OSError) as error:
            if self.path.name not in str(error):
                raise AssertionError(f"No name in: {error}") from error
            return False
        return True


# --- Bytes by chance ---------------------------------------------------------


def mutated(good, choice):
    """A good file with a few changes; in an archive, often of a member."""
    if good[:2] == b"PK" and choice.random() < 0.7:
        with zipfile.ZipFile(io.BytesIO(good)) as archive:
            members = {n: archive.read(n) for n in archive.namelist()}
        name = choice.choice(list(members))
        members[name] = mutated(members[name], choice)
        buffer = io.BytesIO()
        compression = choice.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
        with zipfile.ZipFile(buffer, "w", compression) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        return buffer.getvalue()
    data = bytearray(good)
    for _ in range(choice.randint(1, 4)):
        place = choice.randrange(len(data) + 1)
        length = choice.choice([1, 2, 4, 8, 64])
        data[place : place + length] = choice.choice(
            [
                b"",
                choice.randbytes(length),
                _OTHER.to_bytes(4, choice.choice(["big", "little"])),
                bytes(data[place : place + length]) * 2,
                choice.choice([b"\0", b"\xff", b"-1", b"null", b"[", b"1e999"]),
                b"9" * length,
            ]
        )
    return bytes(data)


def by_chance(reader, seconds, choice):
    """Counts of what was tried and read, and what broke the claim."""
    end, counts = time.monotonic() + seconds, {"tried": 0, "read": 0}
    found = []
    while time.monotonic() < end or counts["tried"] < 20:
        data = mutated(reader.good, choice)
        started = time.monotonic()
        try:
            counts["read"] += reader.read(data)
            if time.monotonic() - started > _SLOW:
                raise AssertionError("It took too long.")
        except Exception as error:
            found.append((data, f"{type(error).__name__}: {error}"[:200]))
        counts["tried"] += 1
    return counts, found


# --- Bytes by what they reach ------------------------------------------------


def by_coverage(name, seconds, folder):
    """The same, by atheris; it ends the process, and gets one of its own."""
    command = [sys.executable, __file__, "--loader", name]
    corpus = folder / "corpus"
    corpus.mkdir()
    process = subprocess.run(
        [*command, "--seconds", str(seconds)],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    tried = re.findall(r"number_of_executed_units: (\d+)", process.stderr)
    reads = re.findall(r"read (\d+)", process.stdout)
    found = [
        (path.read_bytes(), process.stderr.strip().splitlines()[-1][:200])
        for pattern in ("crash-*", "timeout-*", "oom-*")
        for path in folder.glob(pattern)
    ]
    if not tried:
        why = f"It ended by itself, with {process.returncode}."
        found.append((b"", why))
    return {
        "tried": int((tried or [0])[-1]),
        "read": int((reads or [0])[-1]),
    }, found


def fuzz(name, seconds):
    """What a process of `by_coverage` does."""
    import atheris

    with atheris.instrument_imports(
        include=["keras_genai", "mido", "pretty_midi", "PIL"]
    ):
        import pretty_midi  # noqa: F401
        from PIL import Image

        import keras_genai.data.music
        import keras_genai.data.sources
        import keras_genai.demo.drawing
        import keras_genai.export
        import keras_genai.runs  # noqa: F401

        Image.init()
    counts = {"tried": 0, "read": 0}
    corpus = Path("corpus")
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(name, Path(folder))
        (corpus / "good").write_bytes(reader.good)

        def read(data):
            counts["read"] += reader.read(data)
            counts["tried"] += 1
            if counts["tried"] % 100 == 0:  # the process does not return
                print("read", counts["read"], flush=True)

        options = [f"-max_total_time={seconds}", "-print_final_stats=1"]
        options += [f"-timeout={_SLOW}", "-rss_limit_mb=3072", "-max_len=8192"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], read)
        atheris.Fuzz()


# --- Files that are refused for what they are --------------------------------


def _as_a_pipe(path):
    os.mkfifo(path)


def _as_a_socket(path):
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(path))


def _as_a_device(path):
    path.symlink_to("/dev/zero")


def _as_a_folder(path):
    path.mkdir()


NO_FILES = {
    "a pipe": _as_a_pipe,
    "a socket": _as_a_socket,
    "a device": _as_a_device,
    "a folder": _as_a_folder,
}
# Read by the path of the file itself; no folder is one.
_OF_A_PATH = ("npz", "text", "tokenizer", "midi", "keras")
NAMES = ("x.h5", "x.hdf5", "x.KERAS", "x.keras.h5", "x.keras.zip", "x", "x.")


def other_names(folder):
    """Yields models under names that Keras reads in another way."""
    good = _model()
    for name in NAMES:
        path = folder / name
        path.write_bytes(good)
        yield path, _read_model
        link = folder / f"link_{name}"
        link.symlink_to(path)
        yield link, _read_model


def no_files(folder):
    """Yields what is no regular file, for each loader of a single one."""
    for name in _OF_A_PATH:
        file, _, load = LOADERS[name]
        for kind, make in NO_FILES.items():
            path = folder / f"{name}_{kind[2:]}" / file
            path.parent.mkdir()
            make(path)
            yield path, load


def _model_with(change):
    """A model whose config, decoded, was changed by a function of it."""
    buffer = io.BytesIO()
    copy_model(io.BytesIO(_model()), buffer, change)
    return buffer.getvalue()


def copy_model(source, target, change, metadata=None):
    """Copies a `.keras` file with a changed config.

    Args:
        source: Path or file to read from.
        target: Path or file to write to.
        change: Function that changes the decoded config of the model.
        metadata: String in place of the file's metadata, or `None`.
    """
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config["config"])
                content = json.dumps(config)
            if name == "metadata.json" and metadata:
                content = metadata
            new.writestr(name, content)


def _score(size):
    """A note over and over, in one track."""
    track = b"\0\x90\x3c\x40" + b"\x01\x3c\0\0\x3c\x40" * (size // 6)
    header = b"MThd" + struct.pack(">LHHH", 6, 0, 1, 480)
    return header + b"MTrk" + struct.pack(">L", len(track)) + track


def _bytes_of_tokenizer(merges):
    config = json.loads(_tokenizer())
    config["config"]["merges"] = merges
    return json.dumps(config).encode()


def too_large(folder, quick):
    """Yields files that would take minutes, or gibibytes."""
    size = 10**3 if quick else 10**7
    layer = {"class_name": "Activation", "module": "keras.layers"}
    layers = {"class_name": "Sequential", "config": {"layers": [layer] * 300}}
    score = _score(0)[:14]  # without a track
    files = {
        "layers.keras": _model_with(lambda c: c.update(x=layers)),
        "number.keras": _model_with(lambda c: c.update(num_layers=300)),
        "objects.keras": _model_with(lambda c: c.update(x=[layer] * 6000)),
        "merges.json": _bytes_of_tokenizer([[97, 97]] * size),
        "blank.json": b" " * 5_000_000,
        "nul.txt": bytes(10 * size),
        "number.mid": score + b"MTrk\0\x10\0\0" + b"\xff" * 2**20,
    }
    if not quick:
        files |= {
            "config.keras": _model_with(
                lambda c: c.update(name="a" * 6 * size)
            ),
            "chunks.mid": score + b"skip\0\0\0\0" * 500_000,
            "notes.mid": _score(4_000_000),
            "more_notes.mid": _score(30_000_000),
        }
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content)
        yield path, _LOADS[path.suffix]


_LOADS = {
    ".keras": _read_model,
    ".json": _read_tokenizer,
    ".txt": _read_text,
    ".mid": _read_midi,
}


def refused(path, load):
    """What was wrong with how a file was refused, or `None`."""
    answers = ["It waits."]

    def run():
        try:
            load(path)
            answers.append("It was read.")
        except (ValueError, OSError) as error:
            named = path.name in str(error)
            answers.append(None if named else f"No name in: {error}"[:200])
        except Exception as error:
            answers.append(f"{type(error).__name__}: {error}"[:200])

    started = time.monotonic()
    # What waits for ever must not hold the script.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_SLOW)
    if answers[-1] is None and time.monotonic() - started > _SLOW:
        return "It took too long."
    return answers[-1]


def by_kind(quick):
    """Rows of the kinds that are refused, and what was found."""
    rows, found = [], []
    for kind, files in (
        ("names", other_names),
        ("no_files", no_files),
        ("sizes", lambda folder: too_large(folder, quick)),
    ):
        folder = Path(tempfile.mkdtemp(prefix="fuzz_"))
        answers = {
            path.relative_to(folder): refused(path, load)
            for path, load in files(folder)
        }
        wrong = {path: what for path, what in answers.items() if what}
        found += [f"{kind}, {path}: {what}" for path, what in wrong.items()]
        rows.append(
            {
                "name": kind,
                "tried": len(answers),
                "read": sum(w == "It was read." for w in wrong.values()),
                "findings": len(wrong),
            }
        )
        shutil.rmtree(folder, ignore_errors=True)
    return rows, found


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="a loader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--loader", choices=LOADERS, help="one, by coverage")
    options = parser.parse_args()

    import keras_genai

    keras_genai.prepare_tensorflow()
    if options.loader:
        fuzz(options.loader, options.seconds)
    try:
        import atheris  # noqa: F401

        guided = not options.quick
    except ImportError:
        guided = False
    rows, total = [], 0
    for name in LOADERS:
        with tempfile.TemporaryDirectory(prefix="fuzz_") as folder:
            if guided:
                counts, found = by_coverage(name, options.seconds, Path(folder))
            else:
                _limit_memory()
                counts, found = by_chance(
                    Reader(name, Path(folder)),
                    0 if options.quick else options.seconds,
                    random.Random(options.seed),
                )
        for data, what in found:
            digest = hashlib.sha256(data).hexdigest()[:8]
            Path(f"{name}-{digest}.bin").write_bytes(data)
            print(f"{name}: {what}", flush=True)
        total += len(found)
        rows.append({"name": name, **counts, "findings": len(found)})
    of_kinds, found = by_kind(options.quick)
    for what in found:
        print(what, flush=True)
    rows += of_kinds
    total += len(found)
    publish(rows, [bar("findings", total, "<=", 0)], options.json)


def _limit_memory():
    """Lets a loader take a gibibyte, and no more."""
    taken = int(Path("/proc/self/statm").read_text().split()[0])
    limit = taken * os.sysconf("SC_PAGE_SIZE") + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
