"""What an export says of itself is looked at before it is believed."""

import json
import re
import shutil

import pytest

import keras_genai
from keras_genai.cli import main
from keras_genai.demo.served import load
from keras_genai.export import read_about

SAID = {
    "family": "GAN",
    "makes": "images",
    "image_shape": [4, 4, 1],
    "latent_dim": 2,
}
WRONG = [
    ({"makes": "coffee"}, "makes"),
    ({"makes": ["images"]}, "makes"),
    ({"makes": None}, "makes"),
    ({"family": ["GAN"]}, "family"),
    ({"family": "<b>GAN</b>"}, "family"),
    ({"family": "G" * 100}, "family"),
    ({"family": True}, "family"),
    ({"image_shape": 4}, "image_shape"),
    ({"image_shape": [4, 4]}, "image_shape"),
    ({"image_shape": [4, 4, 0]}, "image_shape"),
    ({"image_shape": [4, 4, "1"]}, "image_shape"),
    ({"image_shape": [4.0, 4.0, 1.0]}, "image_shape"),
    ({"image_shape": [2**31, 4, 1]}, "image_shape"),
    ({"image_shape": None}, "image_shape"),
    ({"latent_dim": -1}, "latent_dim"),
    ({"latent_dim": True}, "latent_dim"),
    ({"num_classes": 10**9}, "num_classes"),
    ({"num_classes": 0}, "num_classes"),
    ({"max_sequence_length": 1e3}, "max_sequence_length"),
    ({"max_sequence_length": 0}, "max_sequence_length"),
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("about") / "served"
    return keras_genai.GAN((4, 4, 1), 2, seed=0).export(path)


@pytest.fixture
def says(exported, tmp_path):
    """Writes a copy of the export that says something else of itself."""

    def write(content):
        path = tmp_path / "served"
        shutil.copytree(exported, path)
        note = path / "assets.extra" / "keras_genai.json"
        note.write_bytes(content)
        return path

    return write


def said(path):
    return re.escape(str(path / "assets.extra" / "keras_genai.json"))


def test_what_a_model_says_is_taken(exported):
    assert read_about(exported) == SAID


@pytest.mark.parametrize("known", [{}, {"makes": "images"}, {"new": [1]}])
def test_less_and_more_is_taken(says, known):
    path = says(json.dumps(known).encode())
    assert read_about(path) == known
    assert load(path).image_shape == (4, 4, 1)


@pytest.mark.parametrize("change, name", WRONG)
def test_what_no_model_is(says, change, name):
    path = says(json.dumps({**SAID, **change}).encode())
    with pytest.raises(ValueError, match=f"its {name} is .*{said(path)}"):
        read_about(path)


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"[]", "no JSON object"),
        (b"7", "no JSON object"),
        (b"\xff\xfe\xff", "decode"),
        (b"[" * 60_000, "recursion"),
        (b'{"latent_dim": ' + b"9" * 5_000 + b"}", "digits"),
        (b'{"new": "' + b"a" * 2**16 + b'"}', "longer than 65,536 bytes"),
    ],
)
def test_what_is_no_json_object(says, content, reason):
    path = says(content)
    with pytest.raises(ValueError, match=f"{reason}.*{said(path)}"):
        read_about(path)


@pytest.mark.parametrize(
    "content, reason",
    [
        (b'{"makes": "coffee"}', "its makes is 'coffee'.*keras_genai.json"),
        (b"[]", "no JSON object.*keras_genai.json"),
        (b"{", "Expecting property name.*keras_genai.json"),
        # Each of them might be true, but not of this export.
        (b'{"makes": "music"}', "Expected an export of music"),
        (b'{"image_shape": [28, 28, 1]}', "of the shape in its metadata"),
    ],
)
def test_the_demo_ends_with_one_line(says, capsys, content, reason):
    path = says(content)
    with pytest.raises(ValueError, match=reason):
        load(path)
    assert main(["demo", str(path)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert re.search(reason, line)
