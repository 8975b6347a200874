"""The cards of the first screen, of a matrix and of a session of stalls."""

import json
import re

from helpers import MS, cell, failed, measured, plan, run
from pages import page
import pytest

from loopstall.analysis.content import Content, digest
from loopstall.analysis.culprits import StallSummary
from loopstall.records import Evidence, Frame, Stall, StallEvent
from loopstall.report.page.cards import stacks_id
from loopstall.report.page.finding_cards import cards_of_matrix
from loopstall.report.page.session_cards import cards_of_session
from loopstall.report.page.stall_page import to_page
from loopstall.report.stall_document import Session

SOURCE = """\
import asyncio, time

def fetch(number):
    return client.get(number).json()

async def handler(number):
    data = fetch(number)
    time.sleep(0.2)
    return data

async def book():
    with ledger:
        return 1
"""


@pytest.fixture
def app(tmp_path):
    """A module of the user's, and its lines as frames."""
    file = tmp_path / "app.py"
    file.write_text(SOURCE)
    functions = {3: "fetch", 4: "fetch", 7: "handler", 8: "handler", 12: "book"}
    return lambda line: Frame(file=str(file), line=line, function=functions[line])


def event(*stack, length_ms=80, cause="blocking-call", label="", task="Task-1", test="", syscalls=()):
    evidence = Evidence(
        duration_ns=length_ms * MS, threshold_ns=20 * MS, window_ns=length_ms * MS, own_cpu_ns=0, other_cpu_ns=0,
        syscalls=syscalls,
    )  # fmt: skip
    stall = Stall(
        start_ns=5, duration_ns=length_ms * MS, cause=cause, rule="because", culprit=stack[0] if stack else None,
        stack=stack, task=task, label=label, evidence=evidence,
    )  # fmt: skip
    return StallEvent(stall=stall, length_ns=length_ms * MS, at=1000.5, process="app 7", test=test)


def session(*seen, title="loopstall watch app.py --port 8000"):
    summary = StallSummary()
    for one in seen:
        summary.add(one)
    return Session(title=title, summary=summary, watched_ns=2 * 10**9, began=1000.0, threshold_ns=20 * MS)


def test_session_has_a_card_a_function_with_route_line_cause_fix_and_gain(app):
    first, second = cards_of_session(
        session(
            event(app(8), length_ms=200, label="GET /a"),
            event(app(8), length_ms=100, label="GET /a"),
            event(app(8), length_ms=50, label="GET /b"),
            event(app(4), app(7), length_ms=90, label="GET /b"),
        )
    )
    assert [one.text for one in first.subjects] == ["GET /a", "GET /b"]
    assert first.told == "Blocked 3 times, for 200 ms at worst and 350 ms in all."
    assert (first.rule.name, first.confidence, first.frame) == ("sync-wait-on-loop", "high", app(8))
    assert [(line.number, line.text, line.share) for line in first.lines] == [(8, "time.sleep(0.2)", 1.0)]
    assert "blocking-call 100%." in first.why
    assert (first.code, first.change) == ("await asyncio.sleep(0.2)", None)
    assert first.command == "loopstall watch --fail-over 20ms app.py --port 8000"
    assert (
        first.gain
        == "It has 80% of the stalled time. Without it 90.0 ms of 440 ms are left, the longest stall 90.0 ms."
    )
    assert second.frame == app(4)


def test_helper_that_blocks_is_mended_where_a_coroutine_calls_it(app):
    (card,) = cards_of_session(session(event(app(4), app(7))))
    assert (card.frame, card.change) == (app(4), app(7))
    assert card.code == "data = await asyncio.to_thread(fetch, number)"
    assert card.gain == "Without it no loop was blocked: it has all of the stalled time."


def test_wait_for_a_lock_is_known_by_its_system_call(app):
    (card,) = cards_of_session(session(event(app(12), syscalls=("futex", "futex"))))
    assert card.code.startswith("await asyncio.to_thread(ledger.acquire)")
    (card,) = cards_of_session(session(event(app(12), syscalls=("futex", "read", "read"))))
    assert "to_thread(work, ...)" in card.code


def test_lines_of_one_function_share_a_card_and_have_their_shares(app):
    (card,) = cards_of_session(session(event(app(8), length_ms=30), event(app(7), length_ms=90)))
    assert card.frame == app(7)
    assert [(line.number, line.share) for line in card.lines] == [(7, 0.75), (8, 0.25)]


def test_own_lines_come_before_those_of_libraries_and_the_machine_has_no_card(app):
    library = Frame(file="/usr/lib/python3.11/selectors.py", line=468, function="select")
    cards = cards_of_session(
        session(event(app(8), length_ms=30), event(library, length_ms=900), event(app(7), cause="descheduled"))
    )
    assert [card.frame for card in cards] == [app(8), None]
    assert cards[1].where == "in the framework (selectors)"
    assert cards[1].code == ""
    (machine,) = cards_of_session(session(event(app(7), cause="descheduled")))
    assert (machine.rule.name, machine.tone) == ("noisy-machine", "")


def test_test_and_task_are_named_where_there_is_no_route(app):
    (tested,) = cards_of_session(session(event(app(8), test="tests/test_a.py::test_it[a b]")))
    assert tested.subjects[0].text == "tests/test_a.py::test_it[a b]"
    assert tested.command == "pytest --stall-budget 20ms 'tests/test_a.py::test_it[a b]'"
    (task,) = cards_of_session(session(event(app(4), app(7)), title="something else"))
    assert task.subjects[0].text == "handler, in task Task-1"
    assert task.command == ""


def test_nothing_seen_has_no_card_and_stalls_without_a_stack_have_one():
    assert cards_of_session(session()) == []
    (card,) = cards_of_session(session(event()))
    assert (card.frame, card.stacks, card.code) == (None, "", "")


def matrix(*, threads=True):
    frame = Frame(file="/app/store.py", line=49, function="save")
    trap = run(cell("save"), figures=measured(jobs=70, stalls_ms=[60, 90], wall_ms=1000.0, lag_ms=80, frame=frame))
    others = (
        [run(cell("save", dispatch="threads"), figures=measured(jobs=95, wall_ms=1000.0, lag_ms=2))] if threads else []
    )
    cells = [one.cell for one in (trap, *others)]
    return digest(Content(title="a title", runs=[trap, *others], plan=plan(*cells, processes=1)))


def test_card_of_a_trap_has_the_figures_before_and_after():
    card = cards_of_matrix(matrix())[0]
    assert [(one.text, one.cell) for one in card.subjects] == [("save · asyncio/inline", 0)]
    assert card.told == (
        "Blocked 2 times in 1 run, for 90.0 ms at worst and 150 ms in all; free for 85% of the time. Over the budget in"
        " 1 of 1 run."
    )
    assert {one.label: (one.before, one.after) for one in card.gains} == {
        "loop lag p99": ("80.0 ms", "2.00 ms"), "longest stall": ("90.0 ms", "none"), "throughput": ("70.0/s", "95.0/s"),
    }  # fmt: skip
    assert card.fix == "Send the call to a pool of threads of its own. Measured here: asyncio/threads."
    assert "run_in_executor(pool, save, ...)" in card.code
    assert card.command.endswith("-s asyncio/inline -s asyncio/threads")


def test_card_of_a_trap_without_a_way_out_advises_by_its_cause():
    card = cards_of_matrix(matrix(threads=False))[0]
    assert (card.gains, card.code) == ((), "")
    assert card.fix == card.rule.advice


def test_card_and_timeline_name_the_same_line_and_the_table_the_same_strategy():
    made = matrix()
    html = page(*made.content.runs, plan=made.content.plan)
    card = re.search(r'<li class="card.*?</li>', html, re.DOTALL)[0]
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])
    place = re.search(r'data-cell="0" data-place="([^"]*)"', card)[1]
    assert place == "/app/store.py:49 in save"
    assert any(data["stacks"][stall[3]].startswith(place) for stall in data["timelines"]["0"]["stalls"])
    recommended = re.search(r'data-cell="(\d)">(?:(?!</a>).)*finding 1', html, re.DOTALL)[1]
    assert data["timelines"][recommended]["name"] == "save · asyncio/threads"


def test_cards_lead_to_their_stacks_and_back_and_only_to_what_is_there():
    made = matrix()
    for html in (
        page(*made.content.runs, failed(cell("b"))),
        to_page(session(event(Frame(file="/a.py", line=1, function="f")))),
    ):
        ids = re.findall(r'id="([^"]+)"', html)
        assert len(ids) == len(set(ids))
        links = re.findall(r'href="#([^"]+)"', html)
        assert any(link.startswith("stacks-") for link in links)
        assert any(link.startswith("card-") for link in links)
        assert set(links) <= set(ids)
    assert stacks_id(None) == ""


def test_first_screen_has_three_cards_and_the_others_unfold():
    frames = [Frame(file=f"/app/{name}.py", line=3, function=name) for name in "abcde"]
    html = to_page(session(*(event(frame) for frame in frames)))
    first, rest = html.split('<details class="more">')
    assert (first.count('<li class="card'), rest.count('<li class="card')) == (3, 2)
    assert "2 more findings" in rest
