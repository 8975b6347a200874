"""Stalls that are handed over in a folder."""

from dataclasses import replace
import json

from helpers import MS, measured
import pytest

from loopstall.instrument import inbox
from loopstall.instrument.inbox import Inbox
from loopstall.records import StallEvent, to_plain


def line(number):
    stall = replace(measured(stalls_ms=(200,)).stalls[0], duration_ns=number * MS)
    return (
        json.dumps(to_plain(StallEvent(stall=stall, length_ns=number * MS, at=0.0, process=f"worker {number}"))) + "\n"
    )


def append(path, text):
    with path.open("a") as file:
        file.write(text)


def lengths(box):
    return [seen.length_ns // MS for seen in box.take()]


def test_each_stall_is_taken_once_from_whoever_hands_it_over(tmp_path):
    box = Inbox(tmp_path)
    assert lengths(box) == []
    append(tmp_path / "1.jsonl", line(1) + line(2))
    append(tmp_path / "helper.jsonl", line(3))
    append(tmp_path / "begun", "no stall")
    assert sorted(lengths(box)) == [1, 2, 3]
    append(tmp_path / "1.jsonl", line(4))
    assert lengths(box) == [4]
    assert lengths(box) == []


def test_line_is_taken_when_it_is_whole_and_what_is_no_stall_is_left_out(tmp_path):
    box = Inbox(tmp_path)
    append(tmp_path / "1.jsonl", line(1) + line(2)[:50])
    assert lengths(box) == [1]
    append(tmp_path / "1.jsonl", line(2)[50:] + "[]\n{}\nno\n\n" + line(3))
    assert lengths(box) == [2, 3]


@pytest.mark.parametrize("late", [False, True])
def test_file_does_not_grow_for_ever_and_nothing_of_it_is_lost(tmp_path, monkeypatch, late):
    monkeypatch.setattr(inbox, "_LONG_BYTES", 3 * len(line(1)))
    box, path = Inbox(tmp_path), tmp_path / "1.jsonl"
    taken = []
    for number in range(10, 30):
        with path.open("a") as opened:  # by one who writes only after the file has been put aside
            if late:
                taken += lengths(box)
            opened.write(line(number))
        taken += lengths(box)
    assert sorted(taken) == list(range(10, 30))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 8 * len(line(10))
