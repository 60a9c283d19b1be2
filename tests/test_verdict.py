"""The one line on an evaluation."""

import pytest

from keras_genai.evaluation.verdict import verdict


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            (3.0, 3.0, 0.9),
            "1.0 times the floor: as near as real images; "
            "recall 0.90: most of the variety is there.",
        ),
        (
            (9.0, 3.0, 0.5),
            "3.0 times the floor: close; "
            "recall 0.50: some of the variety is missing.",
        ),
        (
            (31.0, 3.0, 0.0),
            "10.3 times the floor: far off; "
            "recall 0.00: most of the variety is missing.",
        ),
        ((9.0, None, 0.8), "recall 0.80: most of the variety is there."),
        (
            (9.0, 3.0, 0.8, 0.25),
            "3.0 times the floor: close; recall 0.80: most of the variety is "
            "there; 25% of the samples are copies.",
        ),
    ],
)
def test_it_says_what_the_numbers_mean(given, expected):
    assert verdict(*given) == expected
