"""Whose code a frame is, and what is shown of a long stack."""

import asyncio.base_events
import json.decoder

import pytest

import loopstall.monitor.probes.heartbeat as own
from loopstall.records import Frame
from loopstall.records.frames import is_librarys, library_of, loop_at, shortened

LIBRARY = "/srv/venv/lib/python3.12/site-packages/starlette/routing.py"


def user(number):
    return Frame(file=f"/srv/app/part{number}.py", line=number, function=f"own{number}")


def library(number):
    return Frame(file=LIBRARY, line=number, function=f"call{number}")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/srv/app/main.py", ""),
        (LIBRARY, "starlette"),
        ("/elsewhere/src/loopstall/monitor/probes/epoll.py", "loopstall"),
        ("/usr/lib/python3/dist-packages/yaml.py", "yaml"),
        ("C:\\venv\\Lib\\site-packages\\uvicorn\\main.py".replace("Lib\\", "lib\\python3.12\\"), "uvicorn"),
        ("/usr/lib/python3.13t/threading.py", "threading"),
        (asyncio.base_events.__file__, "asyncio"),
        (json.decoder.__file__, "json"),
        (own.__file__, "loopstall"),
        ("<frozen runpy>", "frozen runpy"),
        ("<>", "an unknown library"),
    ],
)
def test_library_is_named_by_the_first_folder_that_its_users_know(file, name):
    assert library_of(file) == name


def test_loop_begins_at_the_innermost_frame_that_runs_callbacks():
    run = Frame(file="/usr/lib/python3.12/asyncio/events.py", line=88, function="Handle._run")
    once = Frame(file="/usr/lib/python3.12/asyncio/base_events.py", line=1980, function="BaseEventLoop._run_once")
    assert loop_at((user(1), library(1), run, once)) == 2
    assert loop_at((user(1), library(1))) is None


def test_users_frames_survive_beneath_any_number_of_a_librarys():
    stack = [*map(library, range(50)), user(1), *map(library, range(50, 90)), user(2)]
    shown = shortened(stack, 12)
    assert shown[:6] == stack[:6]
    assert [frame for frame in shown if isinstance(frame, Frame) and frame.function.startswith("own")] == [
        user(1),
        user(2),
    ]
    assert sum(isinstance(frame, Frame) for frame in shown) == 12
    assert sum(frame for frame in shown if isinstance(frame, int)) == len(stack) - 12


def test_innermost_frames_survive_beneath_any_number_of_the_users():
    stack = [*map(library, range(3)), *map(user, range(100))]
    shown = shortened(stack, 10)
    assert shown == [*stack[:10], 93]


@pytest.mark.parametrize("length", [0, 1, 5])
def test_short_stack_is_shown_whole(length):
    stack = [library(number) for number in range(length)]
    assert shortened(stack, 5) == stack


@pytest.mark.parametrize(
    ("file", "librarys"),
    [
        ("/srv/app/main.py", False),
        ("<string>", False),
        ("<frozen runpy>", True),
        (LIBRARY, True),
        (own.__file__, True),
        ("/elsewhere/src/loopstall/monitor/probes/epoll.py", True),
        ("/elsewhere/src/loopstall/app.py", False),
    ],
)
def test_code_without_a_file_is_no_librarys(file, librarys):
    assert is_librarys(file) == librarys
