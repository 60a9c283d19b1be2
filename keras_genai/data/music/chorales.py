"""Bach's chorales from the package music21 -> scores, parsed once."""

import zipfile
import zlib

import keras
import numpy as np

from keras_genai.data.music.score import (
    HOLD,
    REST,
    STEPS_PER_QUARTER,
    Score,
)
from keras_genai.extras import how_to_install
from keras_genai.files import (
    cache_folder,
    complete_or_absent,
    open_regular,
)

# Each is (almost) the same piece as another file, perhaps transposed: a model
# that learned from one must not be tested on the other.
_REPEATED = {"bwv18.5-w", "bwv253", "bwv274"}
_VOICES = 4
_BROKEN = (
    *(OSError, EOFError, ValueError, KeyError, IndexError),
    *(zipfile.BadZipFile, zlib.error),
)


def chorale_names():
    """Lists the chorales, with any number of parts, each once.

    Returns:
        List of strings, sorted: `"bwv1.6"` and so on, 347.

    Raises:
        ImportError: If music21 is not installed.
    """
    chorales = _import_music21().corpus.chorales
    files = chorales.Iterator(returnType="filename")
    return sorted({file.split("/")[1] for file in files} - _REPEATED)


def read_chorales(names):
    """Reads chorales in four parts from the cache, or parses them.

    Args:
        names: List of strings, as from `chorale_names`.

    Returns:
        List of `Score`s, without the chorales that have more or fewer than
        four parts or notes off the grid of sixteenths.

    Raises:
        ImportError: If music21 is not installed.
    """
    version = _import_music21().__version__
    folder = cache_folder(f"bach_chorales/music21-{version}")
    events = dict.fromkeys(names)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        events = {name: _cached(folder / f"{name}.npz") for name in names}
    missing = [name for name in names if events[name] is None]
    progress = keras.utils.Progbar(
        len(missing), verbose=int(len(missing) >= 20), unit_name="chorale"
    )
    for count, name in enumerate(missing, 1):
        events[name] = _parsed(name)
        if folder is not None:
            with complete_or_absent(folder / f"{name}.npz") as partial:
                np.savez_compressed(partial, events=events[name])
        progress.update(count)
    return [Score(events[name], name) for name in names if events[name].size]


def _import_music21():
    try:
        import music21
    except ImportError as error:
        raise ImportError(
            f"The chorales come with music21: {how_to_install('music')}"
        ) from error
    return music21


def _cached(path):
    """Reads events, empty for a piece left out; `None` if not in the cache."""
    try:
        # Opened here: NumPy does not close a file that it cannot read.
        with open_regular(path) as file:
            events = np.load(file, allow_pickle=False)["events"]
        if events.size:
            Score(events)
        return events
    except _BROKEN:
        return None


def _parsed(name):
    """Returns the events of a chorale `(steps, 4)`; `(0, 4)` leaves it out."""
    left_out = np.zeros((0, _VOICES), "int16")
    parts = [
        part.flatten()
        for part in _import_music21().corpus.parse(f"bach/{name}").parts
    ]
    ends = {part.highestTime * STEPS_PER_QUARTER for part in parts}
    if len(parts) != _VOICES or len(ends) != 1 or ends != {int(max(ends))}:
        return left_out
    events = np.full((int(ends.pop()), _VOICES), HOLD, "int16")
    for voice, part in enumerate(parts):
        before = REST
        for element in part.notesAndRests:
            start = element.offset * STEPS_PER_QUARTER
            length = element.quarterLength * STEPS_PER_QUARTER
            if element.isChord or int(start) != start or int(length) != length:
                return left_out
            if not length:  # an ornament
                continue
            pitch = element.pitch.midi if element.isNote else REST
            tied = element.tie and element.tie.type in ("continue", "stop")
            if not (tied and pitch == before):
                events[int(start), voice] = pitch
            before = pitch
    return events
