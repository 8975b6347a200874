"""Runs the processes that measure a detector, and the strangers that load the machine beside them."""

from collections.abc import Iterator
import contextlib
import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

FOLDER = Path(__file__).parent
STEADY_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "1073741824"}
"""asyncio receives into 256 KiB: glibc maps and unmaps that for each request, or it does not, as chance has it, which
changes the cost of a request by a factor of three."""
Wanted = tuple[str, str, bool]
"""A detector, a loop, and whether the loop runs in another thread than the main one."""


class DiedError(Exception):
    """A child that has ended."""


class Child:
    """A process that measures one detector on one loop."""

    def __init__(self, wanted: Wanted, threshold_ms: float) -> None:
        name, loop, in_thread = wanted
        command = [sys.executable, str(FOLDER / "child.py"), name, loop, str(threshold_ms / 1000)]
        self._process = subprocess.Popen(
            [*command, *(["thread"] if in_thread else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | STEADY_MALLOC,
        )  # fmt: skip
        self.read()

    def tell(self, do: str, **order: Any) -> None:
        """Gives an order."""
        assert self._process.stdin is not None
        print(json.dumps({"do": do, **order}), file=self._process.stdin, flush=True)

    def read(self) -> Any:
        """Returns the answer to the next order that has none yet."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
            print(line, end="")
        assert self._process.stderr is not None
        raise DiedError(self._process.stderr.read()[-2000:])

    def used(self) -> float:
        """Returns the CPU time that the process has taken, in seconds, without asking it."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9

    def ask(self, do: str, **order: Any) -> Any:
        """Gives an order and returns its answer."""
        self.tell(do, **order)
        return self.read()

    def end(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def children(*wanted: Wanted, threshold_ms: float) -> Iterator[list[Child]]:
    """Opens several, and ends them."""
    opened: list[Child] = []
    try:
        for one in wanted:
            opened.append(Child(one, threshold_ms))  # noqa: PERF401  # each is to be ended, also where the next fails
        yield opened
    finally:
        for child in opened:
            child.end()


@contextlib.contextmanager
def strangers(count: int) -> Iterator[None]:
    """Loads the machine's cores from outside."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
