import kinds
from kinds import base, python
import pytest

WORKS = {part.work.name: part.work for kind in kinds.KINDS.values() for part in kind.parts}


@pytest.mark.parametrize("name", kinds.KINDS)
def test_culprit_of_a_kind_has_marked_lines(name):
    places = kinds.KINDS[name].culprit.work.places()
    assert places
    for place in places:
        file, line = place.split(":")
        text = (kinds.FOLDER / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert text.endswith(base.MARK) or "def " in text


def test_only_the_functions_of_a_kind_itself_and_those_that_it_calls_are_marked():
    lines = (kinds.FOLDER / "python.py").read_text(encoding="utf-8").splitlines()
    marked = {place.partition(":")[2] for place in python.SMALL_FUNCTIONS.places()}
    texts = [lines[int(number) - 1].strip() for number in sorted(marked, key=int)]
    assert texts[:2] == ["for number in range(size):  # here", "total = _added(total, number)  # here"]
    assert texts[2].startswith("def _added(")
    assert len(texts) == 5


@pytest.mark.parametrize("name", [name for name, work in WORKS.items() if work.sizing])
def test_work_runs_with_what_is_prepared_for_a_size(name):
    if "multiplied" in name:
        pytest.importorskip("numpy")
    work = WORKS[name]
    base.run(work.function, work.argument(0.02, {work.key(0.02): 64}))


def test_greatest_share_is_the_culprits_whichever_thread_it_is_in():
    assert kinds.KINDS["GIL, two threads"].culprit.thread == "hog"
    assert not kinds.KINDS["GIL, sum, decoy"].in_loop
    assert kinds.KINDS["lock, decoy"].in_loop
    assert kinds.KINDS["turn, python last"].culprit.work is python.SMALL_FUNCTIONS


def test_kinds_are_chosen_by_name_and_by_group():
    assert kinds.chosen(["for loop", "turn"]) == ["for loop", *(n for n in kinds.KINDS if n.startswith("turn"))]
    assert kinds.chosen(None) == list(kinds.KINDS)
    assert kinds.chosen(["no such"]) == []


def test_lines_of_other_files_are_no_places():
    assert kinds.place(str(kinds.FOLDER / "native.py"), 7) == "native.py:7"
    assert kinds.place(__file__, 7) == ""


def test_first_stalls_and_hangs_are_of_kinds_that_there_are():
    assert {*kinds.COLD, *kinds.HANGS} <= set(kinds.KINDS)
    assert all(part.work.sizing is None for name in kinds.HANGS for part in kinds.KINDS[name].parts)
