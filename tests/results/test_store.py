from dataclasses import replace
from datetime import datetime
import json
import os

from helpers import cell, failed, measured, plan, run
import pytest

from loopstall.errors import InputError, MeasurementError
from loopstall.records import Frame
from loopstall.results import store


@pytest.fixture
def folder(tmp_path):
    target = store.Store(tmp_path / "result")
    target.begin(plan(cell(params=(("n", 1), ("x", 1.5), ("flag", True), ("word", "é")))))
    return target.folder


def test_records_come_back_as_they_went(folder):
    good, bad = run(cell(params=(("flag", True), ("n", 1)))), failed(index=1)
    for record in (good, bad):
        store.Store(folder).save(record)
    loaded = store.load([folder])
    assert {good, bad} == set(loaded.runs)
    assert loaded.plan == plan(cell(params=(("n", 1), ("x", 1.5), ("flag", True), ("word", "é"))))


def test_single_file_is_read_as_well(folder):
    path = store.Store(folder).save(run())
    assert store.load([path]).runs == (run(),)


def test_each_stack_of_a_run_is_written_once_and_shared_when_it_is_read(folder):
    other = Frame(file="/app/other.py", line=1, function="f")
    made = measured(stalls_ms=(20,) * 50 + (30,))
    stalls = (*made.stalls[:-1], replace(made.stalls[-1], stack=(other,)))
    records = [run(index=n, figures=replace(made, stalls=stalls)) for n in range(2)]
    paths = [store.Store(folder).save(record) for record in records]
    assert paths[0].read_text().count('"function":"f"') == 1
    loaded = store.load([folder])
    assert sorted(loaded.runs, key=lambda item: item.index) == records
    assert len({id(stall.stack) for item in loaded.runs for stall in item.measured.stalls}) == 2


@pytest.mark.parametrize("places", [[0], [0, 7], [0, -1], [0, 0, 0]])
def test_stacks_that_do_not_fit_are_damage(folder, places):
    path = store.Store(folder).save(run(figures=measured(stalls_ms=(20, 30))))
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "stack_of": places}))
    with pytest.raises(InputError, match="stacks do not fit"):
        store.load([path])


def test_stacks_within_the_stalls_are_read_as_well(folder):
    made = run(figures=measured(stalls_ms=(20,)))
    path = folder / "runs" / "old.json"
    path.write_text(store._encode("run", made))
    assert store.load([path]).runs == (made,)


def test_no_draft_is_left(folder):
    store.Store(folder).save(run())
    assert not list(folder.rglob("*draft*"))


def damage(folder, change):
    path = store.Store(folder).save(run())
    path.write_bytes(change(path.read_bytes()))
    return path


NEWER = {"format": "loopstall", "version": 99, "kind": "run", "data": {}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda b: b[: len(b) // 2], "not whole JSON"),
        (lambda b: b"", "is empty"),
        (lambda b: b'{"benchmarks": []}', "not a file of loopstall's"),
        (lambda b: b"[1, 2]", "not a file of loopstall's"),
        (lambda b: b"\xff\xfe\x00", "not whole JSON"),
        (lambda b: json.dumps(NEWER).encode(), "upgrade loopstall"),
        (lambda b: json.dumps({**NEWER, "format": "other"}).encode(), "not a loopstall run"),
        (lambda b: json.dumps({**NEWER, "version": 1}).encode(), "is damaged"),
        (lambda b: b.replace(b'"jobs":10', b'"jobs":"ten"'), "is damaged"),
    ],
)
def test_unreadable_run_is_named_alone_and_passed_over_in_a_folder(folder, change, said):
    path = damage(folder, change)
    with pytest.raises(InputError, match=said):
        store.load([path])
    loaded = store.load([folder])
    assert loaded.runs == ()
    assert str(path) in loaded.warnings[0]


def test_folder_without_a_plan_is_not_a_result(tmp_path):
    with pytest.raises(InputError, match=r"no plan\.json"):
        store.load([tmp_path])


def test_missing_file_is_said(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        store.load([tmp_path / "absent.json"])


def test_result_is_never_overwritten(folder):
    with pytest.raises(InputError, match="holds a result already"):
        store.Store(folder).begin(plan())


def test_folder_that_cannot_be_made_is_wrong_usage(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write the results folder"):
        store.Store(tmp_path / "file" / "below").begin(plan())


def test_failed_write_leaves_what_was_there(folder, monkeypatch):
    path = store.Store(folder).save(run())
    before = path.read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MeasurementError, match="No space left on device"):
        store.Store(folder).save(run())
    assert path.read_bytes() == before
    assert list((folder / "runs").iterdir()) == [path]


def test_names_of_folders_do_not_clash(tmp_path):
    now = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001
    first = store.new_folder(tmp_path, "a/../b c", now)
    assert first.name == "20260102-030405-a-..-b-c"
    first.mkdir()
    assert store.new_folder(tmp_path, "a/../b c", now).name.endswith("-2")
