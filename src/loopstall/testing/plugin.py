"""What the pytest plugin does once it is on: holds each test against its budget, and sums the session up."""

from collections.abc import Generator, Iterator, Sequence
import contextlib
from dataclasses import dataclass
import os
from pathlib import Path
from typing import Any

import pytest

from loopstall.clock import NS_PER_S
from loopstall.durations import parse_duration
from loopstall.metrics import format_ns
from loopstall.records import Frame, Stall
from loopstall.report.escape import github_command
from loopstall.report.stalls import Culprit, described, worst_culprits
from loopstall.testing.stalls import Recorder, Stalls

__all__ = ["StallPlugin"]

_THRESHOLD_S = 0.005
_MARK = "stall_budget"
_WORST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Budget:
    """What a test may block a loop: at a time and in all, in ns; None for no limit."""

    longest_ns: int | None
    total_ns: int | None


class StallPlugin:
    """Watches the calls of the tests.

    Args:
        budget: of every test, as written; "" for none.
        total: the same of all its stalls together.

    Raises:
        pytest.UsageError: one of them is no duration.
    """

    def __init__(self, *, budget: str, total: str) -> None:
        self._budget = _Budget(longest_ns=_parsed(budget, "the stall budget"), total_ns=_parsed(total, "--stall-total"))
        self._recorder = Recorder(_THRESHOLD_S)
        self._recorder.start()  # at once: loops that fixtures start are watched too
        self._asked: dict[str, Stalls] = {}
        self._culprits: dict[Frame | None, Culprit] = {}

    def check(self, items: Sequence[pytest.Item]) -> None:
        """Reads the marks of tests.

        Raises:
            pytest.UsageError: one says nothing, or something wrong.
        """
        for item in items:
            self._budget_of(item)

    @contextlib.contextmanager
    def asked_by(self, item: pytest.Item) -> Iterator[Stalls]:
        """Gathers the stalls of a test for its fixture."""
        with self._recorder.during() as found:
            self._asked[item.nodeid] = found
            try:
                yield found
            finally:
                del self._asked[item.nodeid]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Fails a test that has passed otherwise and has blocked a loop beyond its budget."""
        budget = self._budget_of(item)
        with self._recorder.during() as mine:
            result = yield
        asked = self._asked.get(item.nodeid)
        if asked is not None:
            asked.began_ns = max(asked.began_ns, mine.began_ns)
        found = mine if asked is None else asked
        own = found.own
        item.stash[_FOUND] = [(stall, length) for stall, length in own]
        broken = _broken(own, budget)
        if broken:
            pytest.fail(broken, pytrace=False)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        """Hands what was found on with the report, which travels between processes."""
        report = yield
        if call.when == "call" and item.stash.get(_FOUND, []):
            report.loopstall = [_plain(stall, length) for stall, length in item.stash[_FOUND]]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts the stalls of a test that has ended, here or in a worker."""
        for file, line, function, cause, length_ns in getattr(report, "loopstall", ()):
            frame = Frame(file=file, line=line, function=function) if file else None
            known = self._culprits.setdefault(frame, Culprit(frame=frame, cause=cause))
            known.add(length_ns, report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Lists the ten worst culprits of the session."""
        worst = worst_culprits(self._culprits.values())[:_WORST]
        if not worst:
            return
        terminalreporter.section("event-loop stalls")
        for item in worst:
            terminalreporter.line(item.line())
        if os.environ.get("GITHUB_ACTIONS") == "true":
            for item in worst:
                terminalreporter.line(_annotation(item))

    def pytest_unconfigure(self) -> None:
        """Leaves nothing patched and no thread behind."""
        self._recorder.stop()

    def _budget_of(self, item: pytest.Item) -> _Budget:
        mark = item.get_closest_marker(_MARK)
        if mark is None:
            return self._budget
        where = f"{item.nodeid}: the mark {_MARK}"
        given = mark.args[0] if mark.args else mark.kwargs.get("budget", ...)
        if given is ... or len(mark.args) > 1 or set(mark.kwargs) - {"budget", "reason"}:
            raise pytest.UsageError(f'{where} takes a budget like "20ms", or None and a reason')
        if given is None:
            if not str(mark.kwargs.get("reason") or "").strip():
                raise pytest.UsageError(f"{where} exempts the test and needs reason=, to say why")
            return _Budget(longest_ns=None, total_ns=None)
        return _Budget(longest_ns=_parsed(str(given), where), total_ns=self._budget.total_ns)


_FOUND = pytest.StashKey[list[tuple[Stall, int]]]()


def _plain(stall: Stall, length_ns: int) -> list[str | int]:
    """Returns a stall as what travels between processes: the line to blame, the cause and the length."""
    frame = stall.holder or stall.culprit
    return [
        frame.file if frame else "",
        frame.line if frame else 0,
        frame.function if frame else "",
        stall.cause,
        length_ns,
    ]


def _annotation(item: Culprit) -> str:
    frame = item.frame
    return github_command(
        "warning",
        item.line(),
        file=frame.file if frame is not None else "",
        line=frame.line if frame is not None else None,
        title="an event loop was blocked",
        root=Path.cwd(),
    )


def _parsed(text: str, what: str) -> int | None:
    if not text:
        return None
    try:
        return round(parse_duration(text) * NS_PER_S)
    except ValueError as error:
        raise pytest.UsageError(f"{what}: {error}") from error


def _broken(own: Sequence[tuple[Stall, int]], budget: _Budget) -> str:
    """Says what of the budget was broken, with everything that a reader needs; empty where nothing was."""
    over = [(stall, length) for stall, length in own if budget.longest_ns is not None and length > budget.longest_ns]
    over.sort(key=lambda item: -item[1])
    parts: list[str] = []
    if over and budget.longest_ns is not None:
        more = f", and {len(over) - 1} more like it" if len(over) > 1 else ""
        parts.append(f"an event loop was blocked for {format_ns(over[0][1])}; the budget is"
                     f" {format_ns(budget.longest_ns)}{more}")  # fmt: skip
        parts += [described(stall, length) for stall, length in over[:3]]
    total = sum(length for _, length in own)
    if budget.total_ns is not None and total > budget.total_ns:
        parts.append(
            f"event loops were blocked for {format_ns(total)} in all, in {len(own)} stalls;"
            f" the total budget is {format_ns(budget.total_ns)}"
        )
        if not over:
            worst = sorted(own, key=lambda item: -item[1])
            parts += [described(stall, length) for stall, length in worst[:3]]
    return "\n\n".join(parts)
