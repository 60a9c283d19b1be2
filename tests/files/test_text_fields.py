"""Which field of a TFDS set its texts are."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_genai import load_text
from keras_genai.data import corpora

TEXT = tfds.features.Text()


class Notes(tfds.core.GeneratorBasedBuilder):
    """A set in TFDS's catalogue with several texts in an example."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {"date": TEXT, "note": TEXT, "stars": np.int64}
            ),
            supervised_keys=("note", "stars"),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for index in range(3):
            example = {"date": "May", "note": f"note {index}", "stars": index}
            yield index, example


@pytest.mark.parametrize(
    ("names", "supervised_keys", "field"),
    [
        # As of wikipedia, wiki40b, sentiment140 and a translation.
        (("title", "text"), None, "text"),
        (("id", "text", "version"), None, "text"),
        (("date", "text"), ("text", "polarity"), "text"),
        (("text", "summary"), ("summary", "text"), "summary"),
        (("date", "text"), ("polarity", "date"), "text"),
        (("date", "note"), (("date", "note"), "polarity"), "date"),
        (("body",), None, "body"),
        (("a", "b"), (), "a"),
    ],
)
def test_the_field_is_what_is_fed_then_text(names, supervised_keys, field):
    features = {"polarity": np.int64, **dict.fromkeys(names, TEXT)}
    info = SimpleNamespace(features=features, supervised_keys=supervised_keys)
    builder = SimpleNamespace(name="a_set", info=info)
    assert corpora._text_field(builder) == field


def test_the_field_is_said_once(no_tfds_sets, capsys):
    Notes(data_dir=str(no_tfds_sets)).download_and_prepare()
    capsys.readouterr()
    texts = [load_text("notes").texts for _ in range(2)]
    assert sorted(texts[0]) == ["note 0", "note 1", "note 2"]
    output = capsys.readouterr().out
    assert output == "notes: the texts are those of the field 'note'.\n"


def test_a_set_without_texts_is_refused_before_its_download(
    no_tfds_sets, monkeypatch
):
    from keras_genai.data import lookup

    def download(builder):
        raise AssertionError("was to be downloaded")

    monkeypatch.setattr(lookup, "_download", download)
    monkeypatch.setattr(lookup, "_is_reachable", lambda host: True)
    with pytest.raises(ValueError, match=r"with a text.*\['image', 'label'\]"):
        load_text("mnist")
