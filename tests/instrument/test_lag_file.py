"""The lag of a loop, handed over in memory that two processes share."""

import json
import os
import sys
import warnings

from helpers import MS
import pytest

from loopstall.instrument.live.lag_file import LagFile, LagFiles

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such files")

S = 1000 * MS


@pytest.fixture
def files(tmp_path):
    made = LagFiles(tmp_path)
    yield made
    made.close()


@pytest.fixture
def lag(tmp_path):
    made = LagFile(str(tmp_path), f"prog.py {os.getpid()}")
    yield made
    made.close()


def test_longest_span_of_each_second_is_read(files, lag):
    lag.attached("MainThread")
    lag.add(5 * S, 5 * S + 3 * MS)
    lag.add(5 * S + 4 * MS, 5 * S + 6 * MS)
    lag.add(6 * S + 900 * MS, 7 * S + 100 * MS)
    (read,) = files.read()
    assert (read.process, read.thread, read.pid) == (f"prog.py {os.getpid()}", "MainThread", os.getpid())
    assert (read.runs, read.last_ns) == (True, 7 * S + 100 * MS)
    assert {second: value for second, value in read.longest_ns.items() if second} == {
        5: 3 * MS, 6: 200 * MS, 7: 100 * MS,
    }  # fmt: skip


def test_second_of_a_minute_ago_makes_room(files, lag):
    lag.attached("MainThread")
    lag.add(5 * S, 5 * S + 50 * MS)
    lag.add(69 * S, 69 * S + 2 * MS)
    assert files.read()[0].longest_ns[69] == 2 * MS
    assert 5 not in files.read()[0].longest_ns


def test_loop_that_has_ended_runs_no_more(files, lag):
    lag.attached("MainThread")
    lag.detached()
    assert [one.runs for one in files.read()] == [False]


def test_memory_that_was_closed_is_read_no_more(files, lag):
    lag.attached("MainThread")
    assert len(files.read()) == 1
    lag.close()
    lag.add(S, S + MS)
    assert files.read() == []


def test_another_memory_under_the_same_number_is_read_anew(files, lag, tmp_path):
    lag.attached("MainThread")
    files.read()
    lag.close()
    with_same_number = LagFile(str(tmp_path), "again 1")
    try:
        with_same_number.attached("worker")
        with_same_number.add(S, S + 4 * MS)
        (read,) = files.read()
        assert (read.process, read.longest_ns[1]) == ("again 1", 4 * MS)
    finally:
        with_same_number.close()


def test_what_is_no_lag_of_a_loop_is_left_out(files, lag, tmp_path):
    lag.attached("MainThread")
    with (tmp_path / "secret").open("w+") as secret:
        secret.write("x" * 4096)
        secret.flush()
        said = {"pid": os.getpid(), "fd": secret.fileno(), "process": "p 1", "thread": "t"}
        (tmp_path / "other.json").write_text(json.dumps(said))
        for name, text in (("bad", "no json"), ("list", "[1]"), ("gone", json.dumps({**said, "pid": 1 << 30}))):
            (tmp_path / f"{name}.json").write_text(text)
        (tmp_path / "link.json").symlink_to(tmp_path / "other.json")
        assert [one.process for one in files.read()] == [f"prog.py {os.getpid()}"]


def test_forked_child_leaves_the_memory_of_its_parent_alone(files, lag):
    lag.attached("MainThread")
    lag.add(S, S + 2 * MS)
    with warnings.catch_warnings():  # a thread that a test before has left harms no child that ends at once
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        lag.close()
        lag.add(S, S + 900 * MS)
        lag.detached()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    (read,) = files.read()
    assert (read.runs, read.longest_ns[1]) == (True, 2 * MS)
