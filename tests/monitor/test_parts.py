"""Which callbacks took how much of a turn, by samples made by hand, and of a real program."""

import asyncio
from pathlib import Path
import subprocess
import sys
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from loopstall.monitor import parts as module
from loopstall.monitor.depth import DEPTH
from loopstall.monitor.samples import Sample
from loopstall.monitor.stack import resolve_all

APP = "/home/someone/app.py"
FOLDER = Path(asyncio.__file__).parent
LOOP = (
    *(
        (f"{FOLDER}/{file}.py", function, 1)
        for file, function in (
            ("events", "Handle._run"),
            ("base_events", "BaseEventLoop._run_once"),
            ("base_events", "BaseEventLoop.run_forever"),
            ("base_events", "BaseEventLoop.run_until_complete"),
            ("runners", "Runner.run"),
            ("runners", "run"),
        )
    ),
    (APP, "<module>", 99),
)
LIBRARY = asyncio.__file__


class Code(NamedTuple):
    co_filename: str
    co_qualname: str


def user(*functions, line=7):
    return tuple((APP, name, line) for name in functions)


def sample(*calls, frame=0, under=LOOP, **rest):
    """A sample of calls (file, function, line), innermost first, which the loop made."""
    stack = tuple((Code(file, function), line) for file, function, line in (*calls, *under))
    return Sample(at_ns=0, asked_ns=0, by_signal=False, stack=stack, frame=frame, **rest)


def parts_of(samples, weights):
    return module.parts_of(samples, resolve_all(one.stack for one in samples), weights)


def told(samples, weights=None):
    parts = parts_of(samples, weights or [1] * len(samples))
    return [(part.culprit.function, round(part.share, 3)) for part in parts]


def test_callbacks_come_by_their_time_with_their_names():
    parts = parts_of(
        [
            sample(*user("second"), frame=20, task="Task-2", coroutine="second", label=lambda: "GET /2"),
            sample(*user("first"), frame=10, task="Task-1", coroutine="first"),
            sample(*user("third"), coroutine="", task=""),
        ],
        [30, 50, 20],
    )
    assert [(part.culprit.function, part.share) for part in parts] == [("first", 0.5), ("second", 0.3), ("third", 0.2)]
    assert [(part.task, part.coroutine, part.label) for part in parts] == [
        ("Task-1", "first", ""),
        ("Task-2", "second", "GET /2"),
        ("", "", ""),
    ]


def test_turn_of_one_callback_has_no_parts():
    assert told([]) == []
    assert told([sample(*user("only"), frame=10)] * 3) == []
    assert told([sample(*user("helper", "only"), frame=10), sample(*user("only"), frame=10)]) == []


@pytest.mark.parametrize(("weight", "parts"), [(10, [("long", 0.9), ("short", 0.1)]), (9, [])])
def test_callback_counts_from_a_tenth_of_the_time_on(weight, parts):
    looks = [sample(*user("long"), frame=1), sample(*user("short"), frame=2)]
    assert told(looks, [100 - weight, weight]) == parts


def test_line_of_a_part_is_the_one_of_most_of_its_own_time():
    looks = [
        sample(*user("often"), frame=1),
        sample(*user("often"), frame=1),
        sample(*user("long"), frame=1),
        sample(*user("often"), frame=2),
    ]
    assert told(looks, [1, 1, 3, 15]) == [("often", 0.75), ("long", 0.25)]


def test_two_tasks_of_the_same_function_are_two_callbacks():
    looks = [sample(*user("handler"), frame=frame, task=f"Task-{frame}") for frame in (1, 2)]
    parts = parts_of(looks, [2, 1])
    assert [(part.culprit.function, part.task) for part in parts] == [("handler", "Task-1"), ("handler", "Task-2")]


def test_callback_without_a_coroutine_is_told_by_the_outermost_function_of_the_users():
    first = [sample(*user("helper", line=line), *user("first")) for line in (3, 4)]
    received = sample(*user("parse", "data_received"), (LIBRARY, "_read_ready", 1))
    assert told([*first, received]) == [("helper", 0.667), ("parse", 0.333)]


def test_callback_of_a_library_is_told_by_what_the_loop_called():
    reads = sample((LIBRARY, "recv", 1), (LIBRARY, "_read_ready", 1))
    closes = sample((LIBRARY, "_call_connection_lost", 1))
    assert told([reads, closes]) == [("recv", 0.5), ("_call_connection_lost", 0.5)]


def test_loop_between_two_callbacks_is_no_callback():
    between = [
        sample(),
        sample(under=LOOP[1:]),
        sample((LIBRARY, "EpollSelector.select", 1), under=LOOP[1:]),
        sample((LIBRARY, "BaseEventLoop._add_callback", 1), under=LOOP[1:]),
    ]
    assert told([*between, sample(*user("only"))]) == []
    both = [*between, sample(*user("one")), sample(*user("other"))]
    assert told(both) == [("one", 0.167), ("other", 0.167)]  # of all the time


def test_loop_that_has_no_frames_is_told_by_who_runs_it():
    uvloop = LOOP[4:]
    assert told([sample(*user("one"), under=uvloop), sample(*user("other"), under=uvloop)]) == [
        ("one", 0.5),
        ("other", 0.5),
    ]
    directly = LOOP[6:]  # all that is left is the module
    assert told([sample(*user("one"), under=directly), sample(*user("other"), under=directly)]) == []


def test_tasks_of_trio_are_told_from_inside_too():
    trio = (("/lib/trio/_core/_run.py", "unrolled_run", 1), ("/lib/trio/_core/_run.py", "run", 1), *LOOP[6:])
    assert told([sample(*user("one"), under=trio), sample(*user("other"), under=trio)]) == [
        ("one", 0.5),
        ("other", 0.5),
    ]


def deep(name, **rest):
    """A stack that was cut off; its outermost function differs each time."""
    return sample(*user("leaf", *["recurse"] * (DEPTH - 2)), *user(name), under=(), **rest)


def test_stack_that_was_cut_off_tells_its_callback_by_its_task_alone():
    assert told([deep("one"), deep("other"), sample(*user("whole"))]) == []
    assert told([deep("one", frame=1), deep("other", frame=2), sample(*user("whole"))]) == []
    known = [deep("one", frame=1, task="Task-1"), deep("other", frame=1, task="Task-1"), sample(*user("whole"))]
    assert told(known) == [("leaf", 0.667), ("whole", 0.333)]


def test_stack_that_was_cut_off_beyond_the_loop_tells_all_that_there_is_to_know():
    beyond = (*LOOP[:1], *user(*["run"] * (DEPTH - 3)))
    looks = [sample(*user("leaf", name), under=beyond) for name in ("one", "other")]
    assert told(looks) == [("leaf", 0.5), ("leaf", 0.5)]


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", ""]), st.integers(1, 100)), max_size=30))
def test_parts_are_several_in_order_and_never_more_than_all(seen):
    looks = [sample(*user(*filter(None, [name])), frame=frame) for frame, name, _ in seen]
    parts = parts_of(looks, [weight for _, _, weight in seen])
    shares = [part.share for part in parts]
    assert len(parts) != 1
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1 + 1e-9
    assert all(share >= 0.1 for share in shares)


PROGRAM = """
import asyncio, time
import loopstall

async def first():
    time.sleep(0.4)

async def second():
    time.sleep(0.2)

def third():
    time.sleep(0.1)

async def main():
    await asyncio.sleep(0.05)
    asyncio.get_running_loop().call_soon(third)
    await asyncio.gather(asyncio.create_task(second(), name="the second"), asyncio.create_task(first(), name="the first"))

with loopstall.watch(sampler="outside") as stalls:
    asyncio.run(main())
stall = max(stalls, key=lambda stall: stall.duration_ns)
print(stall.culprit.function, *(part.culprit.function for part in stall.beside))
for part in stall.parts:
    print(part.culprit.function, part.task, part.coroutine, sep="|")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the helper process is Linux's")
def test_three_callbacks_in_one_turn_are_told_by_their_time(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "program.py"], capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines() == [
        "first second third",
        "first|the first|first",
        "second|the second|second",
        "third||",
    ]
