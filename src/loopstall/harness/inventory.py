"""The process that says which workloads a side can load, and why not the others; no job is done in it.

It is run by its path, so that a side with an older loopstall of its own is asked as well.
"""

from collections.abc import Callable
import inspect
import json
import os
import sys
import traceback
from typing import Any

from loopstall.errors import InputError
from loopstall.instrument.lifeline import die_with
from loopstall.workloads.loader import load_file

__all__ = ["main"]

_LAST_LINES = 6


def main(parent_pid: str) -> None:
    """Loads the workload files that stdin names, a line of JSON each, and answers each with a line on stdout.

    The first line says that it is ready. What workload files print goes to stderr.

    Args:
        parent_pid: the process whose death ends this one.
    """
    die_with(int(parent_pid))
    answers = os.dup(1)
    os.dup2(2, 1)
    files = [json.loads(line) for line in sys.stdin.buffer.read().splitlines()]
    os.write(answers, b"ready\n")
    for file in files:
        os.write(answers, json.dumps(_loaded(file)).encode() + b"\n")
    os._exit(0)  # what a workload file has started must not hold the gate up


def _loaded(file: str) -> dict[str, Any]:
    try:
        return {"names": {item.name: _parameters(item.function) for item in load_file(file)}}
    except InputError as error:
        cause = error.__cause__ or error
        lines = traceback.format_exception(cause)
        return {"error": str(error), "detail": "".join(lines).rstrip().splitlines()[-_LAST_LINES:]}


def _parameters(function: Callable[..., Any]) -> list[str] | None:
    """Returns the names of the arguments that a job takes; None where it takes any."""
    taken = inspect.signature(function).parameters
    return None if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values()) else list(taken)
