"""Data of every kind, by name or by path, as `tf.data`.

Each kind of data has one door to batches that train a model, and one to the
examples themselves:

| kind | batches | examples | their class |
| --- | --- | --- | --- |
| images | `image_dataset` | `load_images` | `Images` |
| text | `text_dataset` | `load_text` | `Corpus` |
| music | `music_dataset` | `load_scores` | `Scores`, each a `Score` |

A source is a name, a path or the data themselves. A name is looked up among the
TFDS data sets on disk, then among the sets inside packages, then in TFDS's
catalogue, which downloads it.

Images come back as bytes by `undo_scaling`. Text is turned to token ids and
back by a `Tokenizer`: `CharacterTokenizer`, `BytePairTokenizer` or, for scores,
`MusicTokenizer`; `load_tokenizer` reads a saved one. Scores are read and
written by `read_midi`, `write_midi` and `write_wav`.

Each name is imported when it is first used.
"""

import importlib

# Public name -> the module in this folder that has it.
_HOME = {
    "image_dataset": "images",
    "load_images": "sources",
    "undo_scaling": "images",
    "Images": "sources",
    "text_dataset": "text",
    "load_text": "corpora",
    "Corpus": "corpora",
    "Tokenizer": "tokenizers",
    "CharacterTokenizer": "tokenizers",
    "BytePairTokenizer": "tokenizers",
    "load_tokenizer": "tokenizers",
    "music_dataset": "music",
    "load_scores": "music",
    "Scores": "music",
    "Score": "music",
    "MusicTokenizer": "music",
    "read_midi": "music",
    "write_midi": "music",
    "write_wav": "music",
}

__all__ = [*_HOME]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOME[name]}")
    globals()[name] = getattr(module, name)
    return globals()[name]


def __dir__():
    return sorted(__all__)
