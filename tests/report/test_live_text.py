"""A live view on a terminal."""

from collections import Counter
from dataclasses import replace
import io
import re

from helpers import MS, measured
import pytest
from rich.console import Console

from loopstall.analysis.culprits import Blame, Culprit, blame
from loopstall.analysis.live import Blocked, LiveView, LoopView
from loopstall.records import Frame, StallEvent
from loopstall.report.live_text import drawn, sparkline

FRAME = Frame(file="/app/service/deep/down/in/folders/that/are/long/login.py", line=49, function="check_password")
STALL = replace(measured(stalls_ms=(204,), frame=FRAME).stalls[0], cause="cpu-python", label="GET /login")
EVENT = StallEvent(stall=STALL, length_ns=204 * MS, at=0.0, process="prog.py 7", thread="MainThread")


def loop(*lags_ms, name="prog.py 7", runs=True, blocked=None, thread="MainThread"):
    lags = tuple(None if lag is None else lag * MS for lag in lags_ms)
    return LoopView(process=name, thread=thread, runs=runs, floor_ns=MS, lags_ns=lags, blocked=blocked)


def view(*loops, count=3, culprits=1, **more):
    item = Culprit(blame=Blame(frame=FRAME), count=3, total_ns=500 * MS, longest_ns=204 * MS, longest=STALL,
                   causes=Counter({"cpu-python": 1}))  # fmt: skip
    return LiveView(
        title="loopstall watch prog.py", at=0.0, watched_ns=83_000 * MS, threshold_ns=20 * MS, count=count,
        total_ns=500 * MS, longest_ns=204 * MS, loops=loops, culprits=(item,) * culprits, latest=(EVENT,) * count, **more,
    )  # fmt: skip


def text(shown, width=80, height=24):
    out = io.StringIO()
    Console(file=out, width=width, height=height, highlight=False, markup=False).print(
        drawn(shown, width=width, height=height)
    )
    return out.getvalue()


def test_each_bar_is_three_times_the_lag_of_the_lower_one():
    spark = sparkline(loop(None, 0, 1, 3, 4, 10, 32, 100, 400, 1000, 5000, 90_000), 60, 20 * MS)
    assert spark.plain == " ·▁▂▂▃▄▅▆▇██"


def test_bars_from_the_threshold_on_are_red():
    spark = sparkline(loop(19, 20), 60, 20 * MS)
    assert [str(span.style) for span in spark.spans] == ["green", "bold red"]


def test_lag_worst_lines_and_what_blocks_now_are_shown():
    blocked = Blocked(seen=EVENT, for_ns=1_200 * MS)
    said = text(view(loop(*[0] * 59, 1200, blocked=blocked), loop(*[0] * 60, name="worker 8", thread="io")), width=110)
    assert "0:01:23 · 3 stalls, 500 ms in all, 204 ms at worst" in said
    assert "1.20 s  cpu-python" in said
    assert "<1 ms" in said
    assert "worker 8 io" in said
    assert "login.py:49 in check_password  GET /login" in said
    assert "▇" in said


def test_view_without_a_loop_says_so():
    said = text(view(count=0, culprits=0))
    assert "no event loop has been seen so far" in said
    assert "no stall over 20 ms" in said
    assert "nothing" not in said


def test_stalls_of_libraries_are_theirs():
    stall = replace(STALL, culprit=replace(FRAME, file=pytest.__file__))
    item = Culprit(blame=blame(stall), count=1, total_ns=MS, longest_ns=MS, longest=stall, causes=Counter({"cpu": 1}))
    said = text(replace(view(loop(5)), culprits=(item,), latest=(replace(EVENT, stall=stall),)), width=130, height=40)
    assert "in the framework (pytest), GET /login" in said
    assert ":49 in check_password  in the framework  GET /login  prog.py 7" in said


@pytest.mark.parametrize("size", [(40, 12), (80, 24)])
def test_address_of_the_page_is_there_whole(size):
    url = f"http://0.0.0.0:8765/?token={'x' * 43}"
    said = text(replace(view(loop(5)), address=url, output=("line",) * 4), *size)
    assert url in said.replace("\n", "")
    assert len(said.splitlines()) <= size[1]


def test_loop_that_has_ended_has_no_lag():
    assert "no loop" in text(view(loop(*[0] * 60, runs=False)))


@pytest.mark.parametrize("size", [(80, 24), (40, 10), (40, 15), (60, 20), (200, 60)])
def test_view_fits_into_the_terminal(size):
    width, height = size
    blocked = Blocked(seen=EVENT, for_ns=1_200 * MS)
    loops = [loop(*range(60), name=f"a rather long name of a process {n}", blocked=blocked) for n in range(9)]
    full = view(*loops, count=30, culprits=30, notes=("a note",) * 4, output=("x" * 300,) * 4)
    lines = text(full, width, height).splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) <= height
    assert ("Output of the program" in lines) is (height >= 15)


def test_small_terminal_has_the_whole_figures_and_the_line():
    said = text(view(loop(*range(60))), 40, 10).splitlines()
    assert "Event-loop lag  now, last 15 s" in said
    assert "  prog.py 7   59.0 ms  " + "▄" * 15 in [line.rstrip() for line in said]
    assert any(re.match("    204 ms  …/login.py:49 in check_", line) for line in said)


def test_what_blocks_is_no_quiet_watch():
    blocked = Blocked(seen=EVENT, for_ns=1_200 * MS)
    said = text(view(loop(*[0] * 60, blocked=blocked), count=0, culprits=0))
    assert "blocked for 1.20 s by now" in said
    assert "no stall" not in said


def test_what_comes_from_outside_moves_no_cursor():
    hostile = "\x1b[2J\u202e[red]"
    frame = Frame(file=hostile, line=1, function=hostile)
    stall = replace(STALL, culprit=frame, cause=hostile, label=hostile, task=hostile)
    seen = replace(EVENT, stall=stall, process=hostile)
    said = text(
        replace(
            view(loop(5, name=hostile, thread=hostile, blocked=Blocked(seen=seen, for_ns=MS)), output=(hostile,)),
            title=hostile, latest=(seen,), notes=(hostile,),
        ),
        width=200,
    )  # fmt: skip
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert said.count("\\x1b[2J") > 5
