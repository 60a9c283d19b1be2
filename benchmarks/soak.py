"""What survives when things go wrong.

The claim: a run that is killed by SIGKILL, in training, in the export at its
end, in the command `export` that replaces that, or in evaluation, has no
half-written artefact, and resumed it ends as an unbroken one, bit for bit. On a
full disk each writer says in one line which file it could not write, and leaves
what was there. A folder of a run that is damaged, has links in it, or is taken
away in training ends the command in one line, and nothing outside is changed.
200 epochs and 10,000 calls of `generate` take no more memory than the first.

    python benchmarks/soak.py --kills 56

Every family of the command line is trained at a tiny size on data made here;
no data set is read, `TFDS_DATA_DIR` or not. A full disk is a tmpfs of its own,
for which the script must be run as root; otherwise each file is limited in
size. `--only kill`, `disk`, `folders` or `memory` runs one part.
"""

import csv
import dataclasses
import hashlib
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path

import forked
import numpy as np
import report
import soak_folders
from report import argument_parser, bar, publish

import keras_genai
from keras_genai.archives import check_keras_archive
from keras_genai.callbacks import Checkpoints
from keras_genai.recipes import RECIPES
from keras_genai.runs import Run

# Phase -> the mark that ends it.
PHASES = {
    "training": "export",
    "export": "the command export",
    "the command export": "evaluation",
    "evaluation": "end",
}
_CONVOLUTIONAL = {"width": 4, "latent_dim": 4}
_DENSE = {"networks": "dense", "latent_dim": 2}
SMALL = {
    "gan": {"latent_dim": 2},
    "dcgan": _CONVOLUTIONAL,
    "conditional_gan": _CONVOLUTIONAL,
    "acgan": _CONVOLUTIONAL,
    "wgan_gp": _CONVOLUTIONAL,
    "vae": _DENSE,
    "conditional_vae": _DENSE,
    "autoencoder": _DENSE,
    "denoising_autoencoder": _DENSE,
    "pixelcnn": {
        "width": 4,
        "dilations": (1, 2),
        "first_kernel_size": 5,
        "head_width": 8,
    },
    "markov": {"order": 2},
    "lstm": {"hidden_dim": 8, "num_layers": 1, "embedding_dim": 8},
    "gpt": {"num_layers": 1, "num_heads": 2, "hidden_dim": 8},
    "music_transformer": {"num_layers": 1, "num_heads": 2, "hidden_dim": 8},
}


# --- Tiny data, tiny recipes -------------------------------------------------


def make_data(folder, count=80):
    """Writes training data: `count` images, a text and music scores."""
    data = folder / "data"
    data.mkdir()
    forked.run(make_scores, data, log=folder / "log.txt")
    random_state = np.random.default_rng(0)
    splits = {}
    for split, number in (("train", count), ("test", 80)):
        labels = np.arange(number) % 2
        images = random_state.integers(0, 100, (number, 8, 8, 1), "uint8")
        images[labels == 1, 2:6, 2:6] += 150
        splits |= {f"x_{split}": images, f"y_{split}": labels}
    np.savez(data / "images.npz", **splits)
    words = random_state.choice(["the", "cat", "sat", "on", "a", "mat"], 800)
    (data / "text.txt").write_text(" ".join(words))


def make_scores(mark, folder):
    """Writes the scores; in a child, since TensorFlow writes the bytes."""
    random_state = np.random.default_rng(0)
    (folder / "scores").mkdir()
    for number in range(12):
        events = random_state.integers(60, 72, (32, 2)) - [0, 12]
        keras_genai.write_midi(
            keras_genai.Score(events), folder / "scores" / f"{number:02d}.mid"
        )


def tiny(family, data, epochs=2):
    """The recipe of the command line, made tiny."""
    recipe = keras_genai.get_recipe(family, "quick")
    changes = {"epochs": epochs, "model_arguments": SMALL[family]}
    if recipe.makes == "images":
        changes |= {"source": str(data / "images.npz"), "batch_size": 16}
        changes |= {"split": "train"}
    elif recipe.makes == "text":
        changes |= {"source": str(data / "text.txt"), "split": "train"}
        changes |= {"sequence_length": 16, "batch_size": 4}
        changes |= {"steps_per_epoch": 4}
    else:
        changes |= {"source": str(data / "scores"), "num_voices": 2}
        changes |= {"sequence_length": 32, "num_steps": 16, "batch_size": 2}
        changes |= {"steps_per_epoch": 4}
    return dataclasses.replace(recipe, **changes)


def quick_extractor():
    """Trains the classifier that measures samples for two epochs."""
    extractor = keras_genai.FeatureExtractor
    for_data = extractor.for_data
    extractor.for_data = lambda examples, verbose: for_data(
        examples, epochs=2, verbose=0
    )


# --- Killed ------------------------------------------------------------------


def live(mark, family, data, folder, again):
    """A run from where it stands to its end: trained, exported, evaluated.

    It is exported `again` by the command, which replaces the first one.
    """
    import keras

    os.environ["KERAS_GENAI_CACHE"] = str(folder.with_suffix(".cache"))
    quick_extractor()
    mark("training")
    if (folder / "run.json").exists():
        run = Run.open(folder)
    else:
        run = Run.create(folder, tiny(family, data), 7, deterministic=True)
    if run.record()["status"] != "complete":
        model = run.train()
        mark("export")
        run.finish(model)
    mark("the command export")
    if again:
        status, said = do(["export", folder])
        if status:
            raise RuntimeError(said)
    mark("evaluation")
    # Samples are measured where there are enough; once is enough here.
    few = "test[:40]" if tiny(family, data).makes == "images" else None
    run.evaluate("test" if family == "vae" else few)
    mark("end")
    model = keras_genai.load_model(run.model_path)
    names = ("optimizer", "d_optimizer", "g_optimizer")
    parts = [model, *(getattr(model, name, None) for name in names)]
    sha = hashlib.sha256()
    for part in filter(None, parts):
        for variable in part.variables:
            value = keras.ops.convert_to_numpy(variable)
            # Not its name, which has a number that the process counts.
            sha.update(repr((value.shape, value.dtype)).encode())
            sha.update(value.tobytes())
    record = run.record()
    return {
        "state": sha.hexdigest(),
        "history": run.history_path.read_text(),
        "evaluation": record["evaluation"],
        "final": record["final"],
        "files": sorted(
            str(path.relative_to(folder)) for path in folder.rglob("*")
        ),
    }


def check_whole(mark, folder):
    """Refuses a folder with an artefact that is not whole."""
    import tensorflow as tf
    from PIL import Image

    count = 0
    # What is loaded as one below, and streams, of which the end may be torn.
    apart = {folder / "export", folder / "tensorboard"}
    for path in folder.rglob("*"):
        hidden = any(
            part.startswith(".") for part in path.relative_to(folder).parts
        )
        if hidden or path.is_dir() or not apart.isdisjoint(path.parents):
            continue
        count += 1
        if path.name == "model.keras":
            keras_genai.load_model(path)
        elif path.suffix == ".keras":
            check_keras_archive(path)
        elif path.suffix in (".png", ".gif"):
            with Image.open(path) as image:
                image.load()
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".csv":
            with path.open(newline="") as file:
                rows = list(csv.reader(file))
            if len({len(row) for row in rows}) > 1:
                raise ValueError(f"{path} has rows of different lengths")
        elif path.suffix == ".mid":
            keras_genai.read_midi(path)
        elif path.suffix == ".txt":
            path.read_text(encoding="utf-8")
        else:
            raise ValueError(f"What is {path}?")
    # Once there is one, it is never away.
    status = Run(folder).record()["status"] if count else None
    if status == "complete" or (folder / "export").exists():
        tf.saved_model.load(str(folder / "export"))
    return count


def killed(family, data, folder, choice, phase, unbroken, log):
    """Kills a run somewhere in a phase; `None`, or what was lost."""
    marks, following = dict(unbroken.marks), PHASES[phase]
    delay = choice.random() * (marks[following] - marks[phase])
    job = (live, family, data, folder, phase == "the command export")
    child = forked.Child(*job, log=log)
    if not child.wait(phase):
        raise RuntimeError(log.read_text()[-3000:])
    child.wait(following, delay)
    if not child.kill():
        raise RuntimeError("It had ended before it was killed.")
    try:
        if folder.exists():
            forked.run(check_whole, folder, log=log)
        result = forked.run(*job, log=log)
    except RuntimeError as error:
        return str(error).strip().splitlines()[-1]
    for name, expected in unbroken.result.items():
        if result[name] != expected:
            return f"{name}: {result[name]} rather than {expected}"
    return None


def kill_part(families, kills, seed, folder):
    """Rows of the table: what was killed in each phase, and what was lost."""
    data, log = folder / "data", folder / "log.txt"
    choice = random.Random(seed)
    lost = {phase: [] for phase in PHASES}
    tried = dict.fromkeys(PHASES, 0)
    jobs = [
        (number, families[number % len(families)]) for number in range(kills)
    ]
    for family in families:
        mine = [number for number, name in jobs if name == family]
        unbroken = forked.Child(
            *(live, family, data, folder / family, True), log=log
        )
        unbroken.wait()
        if unbroken.kill() or not unbroken.finished:
            raise RuntimeError(log.read_text()[-3000:])
        for number in mine:
            # With four kills or more a family meets every phase.
            turn = number // len(families) + families.index(family)
            phase = list(PHASES)[turn % len(PHASES)]
            run = folder / f"{family}-{number}"
            tried[phase] += 1
            loss = killed(family, data, run, choice, phase, unbroken, log)
            if loss is not None:
                lost[phase].append(loss)
                print(f"{family}, killed in {phase}: {loss}", flush=True)
            shutil.rmtree(run, ignore_errors=True)
    return [
        row(f"SIGKILL in {phase}", tried[phase], len(lost[phase]))
        for phase in PHASES
    ]


def row(name, tried, lost):
    left = tried - lost
    return {"name": name, "tried": tried, "survived": left, "lost": lost}


# --- A full disk -------------------------------------------------------------


@contextmanager
def small_disk(folder, mebibytes=24):
    """A file system of its own at a folder, where that may be mounted."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", folder]
    mounted = (
        shutil.which("mount") is not None
        and subprocess.run(
            ["mount", *options], capture_output=True, check=False
        ).returncode
        == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)


def fill(folder, mounted, left):
    """Takes all room but so many bytes, or lets no file be longer."""
    if not mounted:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (left, left))
        return
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (2**20, 2**12):
            with suppress(OSError):
                while file.write(b"0" * size):
                    pass
    os.truncate(ballast, ballast.stat().st_size - left)


def prepare(mark, data, folder):
    """A run of images, one of music, and once what each writer writes."""
    quick_extractor()
    for family in ("vae", "music_transformer"):
        run = Run.create(folder / family, tiny(family, data, 1), 7)
        run.finish(run.train())
        run.evaluate()
    for name, job in WRITERS.items():
        if not name.startswith("train"):
            do(job(folder))


def do(job):
    """Runs a command, or calls a function; the exit status, and what it said.

    A run that is complete is not trained again, and says so.
    """
    from keras_genai.cli import main

    if callable(job):
        try:
            job()
        except (OSError, ValueError) as error:
            return 2, f"{error}\n"
        return 0, ""
    said = io.StringIO()
    with redirect_stderr(said):
        status = main([str(argument) for argument in job])
    return status, said.getvalue()


def _score():
    return keras_genai.Score([[60 + step % 12] for step in range(400)])


def export(run):
    run.finish(keras_genai.load_model(run.model_path))


# Name -> what writes: arguments of the command line, or a function.
WRITERS = {
    "train": lambda disk: [
        *("train", "--resume", disk / "vae", "--epochs", 3),
    ],
    "train on music": lambda disk: [
        *("train", "--resume", disk / "music_transformer", "--epochs", 3),
    ],
    "train for TensorBoard": lambda disk: [
        *("train", "--resume", disk / "vae", "--epochs", 3, "--tensorboard"),
    ],
    "export": lambda disk: lambda: export(Run.open(disk / "vae")),
    "the command export": lambda disk: [
        *("export", disk / "vae", "--output", disk / "served"),
    ],
    "export to LiteRT": lambda disk: [
        *("export", disk / "vae", "--output", disk / "served.tflite"),
        *("--format", "litert"),
    ],
    "export to ONNX": lambda disk: [
        *("export", disk / "vae", "--output", disk / "served_onnx"),
        *("--format", "onnx"),
    ],
    "evaluate": lambda disk: ["evaluate", disk / "vae", "--k", 2],
    "generate images": lambda disk: [
        *("generate", disk / "vae", "--output", disk / "out.png"),
        "--overwrite",
    ],
    "generate an array": lambda disk: [
        *("generate", disk / "vae", "--output", disk / "out.npz"),
        "--overwrite",
    ],
    "generate MIDI": lambda disk: [
        *("generate", disk / "music_transformer", "--num-steps", 64),
        *("--output", disk / "out.mid", "--overwrite"),
    ],
    "compare": lambda disk: [
        *("compare", disk / "vae", disk / "music_transformer"),
        *("--output", disk / "out.pdf", "--overwrite"),
    ],
    "tokenizer": lambda disk: (
        lambda: keras_genai.CharacterTokenizer(
            "".join(map(chr, range(100, 2000)))
        ).save(disk / "tokenizer.json")
    ),
    "MIDI": lambda disk: (
        lambda: keras_genai.write_midi(_score(), disk / "score.mid")
    ),
    "sound": lambda disk: (
        lambda: keras_genai.write_wav(_score(), disk / "score.wav")
    ),
}


def contents(folder):
    """Path -> digest, of all files but the ballast."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "ballast"
    }


def write_to_full(mark, name, disk, mounted, left):
    os.environ["KERAS_GENAI_CACHE"] = str(disk.parent / "cache")
    quick_extractor()
    if left is not None:
        fill(disk, mounted, left)
    return do(WRITERS[name](disk))


def filled(name, disk, mounted, left, log):
    """One writer without room: what it said, and what was lost."""
    shutil.copytree(disk.parent / "prepared", disk, dirs_exist_ok=True)
    before = contents(disk)
    status, said = forked.run(write_to_full, name, disk, mounted, left, log=log)
    problems = []
    if status:
        if said.count("\n") != 1 or str(disk) not in said:
            problems.append(f"it said {said!r}")
        after = contents(disk)
        problems += [
            f"{path} is not as it was"
            for path, digest in before.items()
            if after.get(path) != digest
            # A training that has begun goes on from its checkpoints.
            and not name.startswith("train")
        ]
    (disk / "ballast").unlink(missing_ok=True)
    try:
        for run in ("vae", "music_transformer"):
            forked.run(check_whole, disk / run, log=log)
        if status:
            # With room again, all is as it should be.
            status, again = forked.run(
                write_to_full, name, disk, mounted, None, log=log
            )
            if status:
                problems.append(f"with room again: {again}")
    except RuntimeError as error:
        problems.append(str(error).strip().splitlines()[-1])
    return said.strip(), problems


def disk_part(names, rooms, folder):
    """Rows of the table: each writer with less and less room."""
    log, rows = folder / "log.txt", []
    (folder / "prepared").mkdir()
    forked.run(prepare, folder / "data", folder / "prepared", log=log)
    for name in names:
        tried = lost = 0
        for left in rooms:
            disk = folder / "disk"
            with small_disk(disk) as mounted:
                said, problems = filled(name, disk, mounted, left, log)
            shutil.rmtree(disk)
            if not said:  # there was room enough
                break
            tried += 1
            lost += bool(problems)
            for line in (said, *problems):
                print(f"{name}, {left} bytes: {line}", flush=True)
        where = "disk full" if mounted else "file size limit"
        rows.append(row(f"{where}: {name}", tried, lost))
    return rows


# --- Memory ------------------------------------------------------------------


def train_long(mark, family, data, folder, epochs):
    """Resident MiB after each epoch."""
    sizes, on_epoch_end = [], Checkpoints.on_epoch_end

    def measured(callback, epoch, logs=None):
        on_epoch_end(callback, epoch, logs)
        sizes.append(report.resident_mib())

    Checkpoints.on_epoch_end = measured
    Run.create(folder, tiny(family, data, epochs), 7).train()
    return sizes


def generate_often(mark, family, data, folder, calls):
    """Resident MiB after each call."""
    model = Run.create(folder, tiny(family, data, 1), 7).train()
    sizes = []
    for call in range(calls):
        if model.makes == "text":
            model.generate("the ", 4, seed=call)
        else:
            model.generate(1, seed=call)
        sizes.append(report.resident_mib())
    return sizes


def memory_part(families, epochs, calls, folder):
    """Pairs of a row and a bar: held in the second eighth, and in the last."""
    for what, function, times in (
        (f"{epochs} epochs", train_long, epochs),
        (f"{calls:,} calls of generate", generate_often, calls),
    ):
        for family in families:
            run = folder / f"{function.__name__}-{family}"
            sizes = forked.run(
                *(function, family, folder / "data", run, times),
                log=folder / "log.txt",
            )
            eighth = len(sizes) // 8
            early = float(np.mean(sizes[eighth : 2 * eighth]))
            late = float(np.mean(sizes[-eighth:]))
            name = f"{what}, {family}"
            yield (
                {"name": name, "early_mib": early, "late_mib": late},
                bar(f"MiB more, {name}", late - early, "<=", 20),
            )


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--kills", type=int, default=56)
    parser.add_argument("--families", nargs="+", choices=RECIPES)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    every = ["kill", "disk", "folders", "memory"]
    parser.add_argument("--only", choices=every)
    options = parser.parse_args()
    families, kills = options.families or list(RECIPES), options.kills
    writers, rooms = list(WRITERS), [2**k for k in (0, 12, 14, 16, 18, 20)]
    epochs, calls, cases = 200, 10_000, options.cases
    parts = [options.only] if options.only else every
    of_memory = options.families or ["dcgan", "gpt"]
    if options.quick:
        families = of_memory = options.families or ["autoencoder"]
        kills, epochs, calls, cases = min(kills, 2), 8, 16, 5
        report.check_exports_here()
        report.run_steps_eagerly()
        writers, rooms = ["train"], rooms[1:2]
        if not options.only:  # it is the slowest to prepare
            parts.remove("disk")

    forked.import_everything()
    rows, bars = [], []
    with tempfile.TemporaryDirectory(prefix="soak_") as name:
        folder = Path(name)
        make_data(folder, 32 if options.quick else 80)
        if "kill" in parts:
            rows += kill_part(families, kills, options.seed, folder)
        if "disk" in parts:
            rows += disk_part(writers, rooms, folder)
        if rows:
            lost = sum(row["lost"] for row in rows)
            bars.append(bar("lost", lost, "<=", 0))
        if "folders" in parts:
            recipe = tiny("autoencoder", folder / "data")
            rows += soak_folders.rows(recipe, folder, cases, options.seed)
            failed = sum(row.get("failed", 0) for row in rows)
            bars.append(bar("failed", failed, "<=", 0))
        if "memory" in parts:
            for found in memory_part(of_memory, epochs, calls, folder):
                rows.append(found[0])
                bars.append(found[1])
    publish(rows, bars, options.json)


if __name__ == "__main__":
    main()
