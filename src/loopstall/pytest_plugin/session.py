"""The pytest plugin while it is on: it holds each test against its budget, and sums the session up."""

from collections.abc import Generator, Iterator, Sequence
import contextlib
from dataclasses import dataclass, replace
import os
from pathlib import Path
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from loopstall.analysis.culprits import StallSummary
from loopstall.errors import InputError
from loopstall.gate import ACCEPTED_FILE
from loopstall.monitor.kernel import UnavailableError
from loopstall.monitor.outside.link import say
from loopstall.monitor.samplers import SAMPLERS
from loopstall.pytest_plugin.baseline import Baseline
from loopstall.pytest_plugin.recorder import Recorder, Stalls
from loopstall.records import StallEvent, stall_event_from, to_plain
from loopstall.records.clock import NS_PER_S, now_ns
from loopstall.records.units import DURATION, format_ns
from loopstall.records.units import counted as _counted
from loopstall.report.escape import printable
from loopstall.report.stall_text import described, summed_up

if TYPE_CHECKING:
    from loopstall.pytest_plugin.hang import SessionHelper

__all__ = ["StallPlugin"]

_THRESHOLD_S = 0.005
_MARK = "stall_budget"
_FAULTS = "loopstall faults"
_FULL = 50  # stalls of a test that are reported with all that was seen, the longest ones


@dataclass(frozen=True, slots=True, kw_only=True)
class _Budget:
    """The limits of a test's stalls: of one and of their sum, in ns; None for no limit."""

    longest_ns: int | None
    total_ns: int | None


class StallPlugin:
    """Watches the calls of the tests.

    Args:
        config: of the session.
        budget: of every test, as written; "" for none.
        total: the same of all its stalls together.
        report: file to write the session's stalls to, "" for none.
        baseline: whether what breaks a budget is written down instead of failing.
        hang_after: how long a stall lasts until it is printed while it goes on; "never" for never.
        sampler: who looks at the loops, as for ``loopstall.watch``.

    Raises:
        pytest.UsageError: one of them is wrong, or what is accepted cannot be read.
    """

    def __init__(  # its options
        self,
        config: pytest.Config,
        *,
        budget: str,
        total: str,
        report: str,
        baseline: bool,
        hang_after: str,
        sampler: str | None = None,
    ) -> None:
        self._budget = _Budget(longest_ns=_parsed(budget, "the stall budget"), total_ns=_parsed(total, "--stall-total"))
        self._worker = hasattr(config, "workerinput")  # of xdist: the session that started it sums up
        self._report = _writable(Path(config.invocation_params.dir, report)) if report and not self._worker else None
        try:
            self._baseline = Baseline(config.rootpath / ACCEPTED_FILE, writes=baseline)
        except InputError as error:
            raise pytest.UsageError(printable(str(error))) from error
        self._title = " ".join(["pytest", *config.invocation_params.args])
        self._began, self._began_ns = time.time(), now_ns()
        self._summary = StallSummary()
        self._said: list[str] = []
        self._asked: dict[str, Stalls] = {}
        hang_ns = _parsed("" if hang_after == "never" else hang_after, "--stall-hang-after")
        self._helper: SessionHelper | None = None
        if hang_ns and not self._worker:
            self._start_helper(config, hang_ns)
        if sampler not in {None, *SAMPLERS}:
            raise pytest.UsageError(f"--stall-sampler must be one of {', '.join(SAMPLERS)}, not {sampler!r}")
        self._recorder = Recorder(_THRESHOLD_S, sampler=sampler)
        self._recorder.start()  # at once: loops that fixtures start are watched too

    def _start_helper(self, config: pytest.Config, hang_after_ns: int) -> None:
        """Starts the helper process of the session, or says why there is none: each process then looks for itself."""
        from loopstall.pytest_plugin.hang import SessionHelper  # for who has not switched it off

        capturing = config.pluginmanager.getplugin("capturemanager")
        shown = capturing.global_and_fixture_disabled() if capturing is not None else contextlib.nullcontext()
        if sys.__stderr__ is None:
            self._said.append("A test that hangs is not reported before it has ended: there is no standard error.")
            return
        try:
            with shown:
                self._helper = SessionHelper(hang_after_s=hang_after_ns / NS_PER_S, prints=sys.__stderr__.fileno())
        except (UnavailableError, OSError, ValueError) as error:  # not here, no room, or a stderr that is no file
            self._said.append(str(error))

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
        say(item.nodeid)
        with self._recorder.during() as mine:
            result = yield
        say("")
        asked = self._asked.get(item.nodeid)
        if asked is not None:
            asked.began_ns = max(asked.began_ns, mine.began_ns)
        found = mine if asked is None else asked
        own = [replace(seen, test=item.nodeid) for seen in found.own]
        covered, missed = self._baseline.sift(own)
        counted = [seen for seen in own if seen not in covered]
        over, in_all = _breaking(counted, budget)
        broken = over or (counted if in_all else [])
        item.stash[_FOUND] = [replace(seen, over=seen in broken) for seen in own]
        if broken and not self._baseline.writes:
            pytest.fail(_said(over, counted, budget, missed=missed), pytrace=False)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        """Hands what was found on with the report, which travels between processes."""
        report = yield
        if call.when == "call" and item.stash.get(_FOUND, None):
            found = item.stash[_FOUND]
            found.sort(key=lambda seen: -seen.length_ns)
            slim = [replace(seen, stall=replace(seen.stall, stack=(), glimpses=())) for seen in found[_FULL:]]
            report.loopstall = [to_plain(seen) for seen in (*found[:_FULL], *slim)]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts the stalls of a test that has ended, here or in a worker."""
        for plain in getattr(report, "loopstall", ()):
            seen = stall_event_from(plain)
            self._summary.add(seen)
            if seen.over:
                self._baseline.note(seen)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Writes the report and the baseline."""
        if self._worker:
            output: dict[str, Any] = getattr(session.config, "workeroutput")  # noqa: B009  # xdist's
            output[_FAULTS] = self._recorder.faults
            return
        self._note_faults(self._recorder.faults)
        try:
            if self._baseline.writes:
                self._said.append(self._baseline.write())
            if self._report is not None:
                self._write(self._report)
        except (InputError, OSError) as error:
            self._said.append(f"cannot write {self._report}: {error}" if isinstance(error, OSError) else str(error))
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Takes what a worker of xdist could not do; one that has crashed has left nothing."""
        self._note_faults(getattr(node, "workeroutput", {}).get(_FAULTS, ()))

    def _note_faults(self, faults: Sequence[str]) -> None:
        self._said += [sentence for sentence in faults if sentence not in self._said]

    def _write(self, path: Path) -> None:
        from loopstall.report.formats import stall_format_of, stalls_rendered  # for those who ask for one
        from loopstall.report.stall_document import Session

        session = Session(
            title=self._title,
            summary=self._summary,
            watched_ns=now_ns() - self._began_ns,
            began=self._began,
            threshold_ns=round(_THRESHOLD_S * NS_PER_S),
            about=("The calls of the tests were watched, not their fixtures.",),
        )
        form = stall_format_of(path)
        path.write_text(stalls_rendered(form, session), encoding="utf-8")
        more = f"; `loopstall report {path}` makes a page of them" if form == "json" else ""
        self._said.append(f"the stalls are in {path}{more}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Lists the ten worst culprits of the session."""
        if not self._summary.count and not self._said:
            return
        terminalreporter.section("event-loop stalls")
        for text in (*summed_up(self._summary), *self._said):
            terminalreporter.line(printable(text))
        if os.environ.get("GITHUB_ACTIONS") == "true":
            from loopstall.report.stall_tables import annotations  # where they are read

            for line in annotations(self._summary.culprits):
                terminalreporter.line(line)

    def pytest_unconfigure(self) -> None:
        """Leaves nothing patched and no thread behind."""
        self._recorder.stop()
        if self._helper is not None:
            self._helper.close()

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


_FOUND = pytest.StashKey[list[StallEvent]]()


def _parsed(text: str, what: str) -> int | None:
    if not text:
        return None
    try:
        return round(DURATION.parse(text) * NS_PER_S)
    except ValueError as error:
        raise pytest.UsageError(printable(f"{what}: {error}")) from error


def _writable(path: Path) -> Path:
    """Returns the path; raises a ``pytest.UsageError`` where nothing can be written there, or its form is unknown."""
    from loopstall.report.formats import stall_format_of  # for those who ask for one

    try:
        stall_format_of(path)
        path.open("a", encoding="utf-8").close()
    except (InputError, OSError) as error:
        raise pytest.UsageError(printable(f"--stall-report: {error}")) from error
    return path


def _breaking(counted: Sequence[StallEvent], budget: _Budget) -> tuple[list[StallEvent], bool]:
    """Returns the stalls over the budget, the longest first, and whether all of them are over that in all.

    What counts is the program's own part of the time within the test; where a stall goes beyond the test, its wait for
    a CPU is taken to lie evenly over it.
    """
    over = [seen for seen in counted if budget.longest_ns is not None and seen.own_ns > budget.longest_ns]
    total = sum(seen.own_ns for seen in counted)
    return sorted(over, key=lambda seen: -seen.own_ns), budget.total_ns is not None and total > budget.total_ns


def _said(over: Sequence[StallEvent], counted: Sequence[StallEvent], budget: _Budget, *, missed: Sequence[str]) -> str:
    """Describes how the budget was broken, with everything that a reader needs."""
    parts: list[str] = []
    if over and budget.longest_ns is not None:
        more = f", and {len(over) - 1} more like it" if len(over) > 1 else ""
        parts.append(f"an event loop was blocked for {format_ns(over[0].own_ns)}; the budget is"
                     f" {format_ns(budget.longest_ns)}{more}")  # fmt: skip
    total = sum(seen.own_ns for seen in counted)
    if budget.total_ns is not None and total > budget.total_ns:
        number = _counted(len(counted), "stall")
        parts.append(
            f"event loops were blocked for {format_ns(total)} in all, in {number};"
            f" the total budget is {format_ns(budget.total_ns)}"
        )
    worst = over or sorted(counted, key=lambda seen: -seen.own_ns)
    return "\n\n".join([*parts, *map(printable, missed), *(described(seen) for seen in worst[:3])])
