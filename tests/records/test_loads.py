"""Loads in words, and back."""

import pytest

from loopstall.records import Load

LOADS = (
    Load(jobs=10),
    Load(seconds=0.2, concurrency=64),
    Load(seconds=1e-05),
    Load(jobs=3, rate=50.0),
    Load(seconds=2.0, rate=0.25, arrivals="constant"),
    Load(seconds=5.0, rate=400.0, heavy=0.05),
)


@pytest.mark.parametrize("load", LOADS, ids=str)
def test_load_is_read_from_its_words(load):
    assert str(Load.parse(str(load))) == str(load)
    assert Load.parse(str(load)).heavy == load.heavy


@pytest.mark.parametrize("text", ["", "10 jobs", "x s, 8 at a time", "10 jobs, 8 at a time, and more"])
def test_other_words_are_no_load(text):
    with pytest.raises(ValueError, match="is no load"):
        Load.parse(text)
