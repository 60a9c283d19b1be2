"""Whatever a file has in it is read, or refused by its name."""

import random

import fuzz_loaders
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

# A model takes a second to be made, where only its order of keys was changed.
LOADERS = [name for name in fuzz_loaders.LOADERS if name != "keras"]
FUZZ = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module", params=LOADERS)
def reader(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return fuzz_loaders.Reader(request.param, folder)


def test_the_good_file_is_read(reader):
    assert reader.read(reader.good)


@pytest.mark.filterwarnings("ignore")  # of parsers, about what they mend
@FUZZ
@given(st.integers(0, 2**32))
def test_a_good_file_with_changes(reader, seed):
    reader.read(fuzz_loaders.mutated(reader.good, random.Random(seed)))


@pytest.mark.filterwarnings("ignore")
@FUZZ
@given(st.data())
def test_a_good_file_cut_off(reader, data):
    length = data.draw(st.integers(0, len(reader.good)))
    reader.read(reader.good[:length])


@pytest.mark.filterwarnings("ignore")
@FUZZ
@given(st.binary(max_size=200))
@example(b"")
@example(b"\0" * 100)
@example(b"\xff\xfe" * 20)
@example(b"[" * 100_000)
@example(b'{"class_name": "BytePairTokenizer"}')
@example(b'{"recipe": {"family": []}, "status": 1}')
@example(b'{"makes": {}, "image_shape": [1e999, NaN, -0]}')
def test_any_bytes(reader, content):
    reader.read(content)


@pytest.mark.filterwarnings("ignore")
def test_a_score_that_lasts_for_years(tmp_path):
    """Notes days apart in ticks of a quarter each."""
    reader = fuzz_loaders.Reader("midi", tmp_path)
    for ticks in (b"\x81\xff\xff\x7f", b"\xff\xff\xff\x7f"):
        track = b"\x00\x90\x3c\x40" + ticks + b"\x80\x3c\x00\x00\xff\x2f\x00"
        assert not reader.read(
            b"MThd\0\0\0\6\0\0\0\1\0\1MTrk"
            + len(track).to_bytes(4, "big")
            + track
        )


@pytest.mark.filterwarnings("ignore")
def test_changed_models(tmp_path):
    reader = fuzz_loaders.Reader("keras", tmp_path)
    assert reader.read(reader.good)
    for seed in range(40):
        reader.read(fuzz_loaders.mutated(reader.good, random.Random(seed)))
