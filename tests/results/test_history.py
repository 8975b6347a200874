"""The history file: what goes in comes out, and what is no history is refused."""

from dataclasses import replace
import sqlite3

from helpers import ENVIRONMENT, cell, failed, measured, run
import pytest

from loopstall.errors import InputError, MeasurementError
from loopstall.results.history import History, Result, machine_of, trends


def result(day, *, commit="", committed="", machine="m"):
    return Result(
        name="r", measured_at=f"2026-01-{day:02}T00:00:00+00:00", commit=commit, committed_at=committed, machine=machine
    )


def runs(wall_ms=100.0, where=None):
    return [run(where, index=n, figures=measured(wall_ms=wall_ms + n)) for n in range(3)]


def test_values_come_back_in_the_order_of_the_commits(tmp_path):
    with History(tmp_path / "h.sqlite", create=True) as history:
        history.add(result(3, commit="old", committed="2025-01-01T00:00:00+00:00"), runs(100))
        history.add(result(1, commit="new", committed="2025-06-01T00:00:00+00:00"), runs(200))
        history.add(result(2), runs(300))
    with History(tmp_path / "h.sqlite") as history:
        readings = [item for item in history.readings() if item.metric == "time_per_job"]
    assert [item.commit for item in readings] == ["old", "new", ""]
    assert [item.value for item in readings] == [10.1e6, 20.1e6, 30.1e6]
    assert {(item.row, item.strategy, item.runs) for item in readings} == {("work", "asyncio/inline", 3)}


def test_result_that_is_there_already_is_replaced(tmp_path):
    with History(tmp_path / "h.sqlite", create=True) as history:
        assert history.add(result(1), runs(100)) == (1, False)
        assert history.add(result(1), [*runs(200), *runs(1, cell(name="other"))]) == (2, True)
        readings = [item for item in history.readings() if item.metric == "time_per_job"]
    assert sorted(item.row for item in readings) == ["other", "work"]


def test_failed_runs_leave_no_value_and_nothing_is_added_of_failures_alone(tmp_path):
    with History(tmp_path / "h.sqlite", create=True) as history:
        with pytest.raises(InputError, match="no successful run"):
            history.add(result(1), [failed()])
        assert history.readings() == []


def test_writing_that_fails_leaves_the_history_as_it_was(tmp_path):
    path = tmp_path / "h.sqlite"
    with History(path, create=True) as history:
        history.add(result(1), runs(100))
        before = history.readings()
        with sqlite3.connect(path) as other:
            other.execute("CREATE TRIGGER full BEFORE INSERT ON reading BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        other.close()
        with pytest.raises(MeasurementError, match="disk full"):
            history.add(result(1), runs(900))
        assert history.readings() == before


def test_machines_and_cells_have_series_of_their_own(tmp_path):
    with History(tmp_path / "h.sqlite", create=True) as history:
        for day in range(1, 9):
            history.add(result(day, machine="a"), runs(100 if day < 5 else 150))
            history.add(result(day, machine="b"), [*runs(50), *runs(70, cell(dispatch="threads"))])
        found = trends(history.readings(), metric="time_per_job")
        assert [(item.machine, item.strategy, len(item.readings)) for item in found] == [
            ("a", "asyncio/inline", 8),
            ("b", "asyncio/inline", 8),
            ("b", "asyncio/threads", 8),
        ]
        assert [[change.at for change in item.changes] for item in found] == [[4], [], []]
        assert len(trends(history.readings(), metric="time_per_job", last=3)[0].readings) == 3


def test_machine_is_named_by_what_values_depend_on():
    assert machine_of(ENVIRONMENT) == "a CPU, 2 cores, CPython 3.11"
    assert machine_of(replace(ENVIRONMENT, cores=4)) != machine_of(ENVIRONMENT)
    assert machine_of(None) == "an unknown machine"


def make(path, statements):
    with sqlite3.connect(path) as base:
        for statement in statements:
            base.execute(statement)
    base.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no history"),
        (b"not a database at all, but long enough to be looked at" * 20, "not a database"),
        (["CREATE TABLE somebody (elses)"], "another program"),
        (
            ["CREATE TABLE x (y)", f"PRAGMA application_id = {0x6C6F6F70}", "PRAGMA user_version = 99"],
            "newer loopstall",
        ),
    ],
)
def test_what_is_no_history_is_refused_and_left_alone(tmp_path, content, said):
    path = tmp_path / "h.sqlite"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        make(path, content)
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(InputError, match=said):
        History(path)
    assert (path.read_bytes() if path.exists() else None) == before
