"""All that a live view shows of a watch: fed with stalls as they come, asked for a view at any moment by any thread."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
import threading
import time

from loopstall.analysis.culprits import Culprit, StallSummary
from loopstall.analysis.live import Blocked, LiveView, LoopView, lags_of
from loopstall.instrument.live.lag_file import SECONDS, LagFiles, LoopLag
from loopstall.records import StallEvent
from loopstall.records.clock import NS_PER_MS, NS_PER_S, Clock, by_second, now_ns
from loopstall.report.stall_document import Session, StallDocument, document

__all__ = ["Board"]

_FLOOR_NS = NS_PER_MS
"""Spans of work over this are handed over by processes that watch themselves."""
_CULPRITS, _LATEST, _NOTES = 20, 20, 8
_MOST_LOOPS = 256
_SAME_S = 0.05  # two reports of the same stall name the same begin, but for the reading of two clocks
_FRESH_NS = NS_PER_S // 4  # a view is shared by all that ask within this time
_MAIN = "MainThread"


class _Seen:
    """A loop that is known by its stalls alone."""

    def __init__(self, since_ns: int) -> None:
        self.since_ns = since_ns
        self.longest_ns: dict[int, int] = {}

    def add(self, start_ns: int, end_ns: int) -> None:
        for second, longest_ns in by_second(start_ns, end_ns, most=SECONDS):
            self.longest_ns[second] = max(longest_ns, self.longest_ns.get(second, 0))
        for second in [one for one in self.longest_ns if one < end_ns // NS_PER_S - SECONDS]:
            del self.longest_ns[second]


class Board:
    """The state of a watch.

    Args:
        title: the name of the watched program.
        threshold_ns: the span without progress from which there is a stall.
        clock: monotonic time in ns, that of the watched processes.
        wall: seconds since 1970, UTC.
    """

    def __init__(
        self, *, title: str, threshold_ns: int, clock: Clock = now_ns, wall: Callable[[], float] = time.time
    ) -> None:
        self._title = title
        self._threshold_ns = threshold_ns
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._began, self._began_ns = wall(), clock()
        self._summary = StallSummary()
        self._latest: deque[StallEvent] = deque(maxlen=_LATEST)
        self._notes: deque[str] = deque(maxlen=_NOTES)
        self._hangs: list[StallEvent] = []
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._since_ns: dict[tuple[str, str], int] = {}
        self._files: LagFiles | None = None
        self._view: LiveView | None = None
        self._view_ns = 0

    def lags_in(self, folder: Path) -> None:
        """Reads the lag of each loop from where the watched processes announce it."""
        self._files = LagFiles(folder)

    def close(self) -> None:
        """Reads no lag any more."""
        with self._lock:
            if self._files is not None:
                self._files.close()
                self._files = None

    def stall(self, seen: StallEvent) -> None:
        """Takes a stall that has ended."""
        with self._lock:
            self._summary.add(seen)
            self._latest.appendleft(seen)
            self._hangs = [one for one in self._hangs if not _ends(seen, one)]
            start_ns = self._moment(seen.at)
            known = self._seen.setdefault((seen.process, seen.thread), _Seen(self._began_ns))
            known.add(start_ns, start_ns + seen.length_ns)
            if len(self._seen) > _MOST_LOOPS:
                del self._seen[next(iter(self._seen))]

    def hang(self, seen: StallEvent) -> None:
        """Takes a stall that goes on."""
        with self._lock:
            self._hangs = [one for one in self._hangs if not (_same_loop(one, seen) and _same_begin(one, seen))]
            self._hangs.append(seen)

    def note(self, text: str) -> None:
        """Takes a sentence about the watch."""
        with self._lock:
            self._notes.append(text)

    def document(self) -> StallDocument:
        """Returns the stalls so far as data."""
        with self._lock:
            session = Session(
                title=self._title,
                summary=self._summary,
                watched_ns=self._clock() - self._began_ns,
                began=self._began,
                threshold_ns=self._threshold_ns,
            )
            return document(session)

    def view(self) -> LiveView:
        """Returns the watch as it is now, or was a moment ago."""
        with self._lock:
            now = self._clock()
            if self._view is None or now - self._view_ns >= _FRESH_NS:
                self._view, self._view_ns = self._made(now), now
            return self._view

    def _made(self, now: int) -> LiveView:
        summary = self._summary
        return LiveView(
            title=self._title,
            at=self._wall(),
            watched_ns=now - self._began_ns,
            threshold_ns=self._threshold_ns,
            count=summary.count,
            total_ns=summary.total_ns,
            longest_ns=summary.longest_ns,
            loops=tuple(sorted(self._loops(now), key=_badness)),
            culprits=tuple(map(_copied, summary.culprits[:_CULPRITS])),
            latest=tuple(self._latest),
            notes=tuple(self._notes),
        )

    def _loops(self, now: int) -> list[LoopView]:
        """Returns those that hand their lag over, then those of which stalls alone are known."""
        lags = _merged(self._files.read()) if self._files is not None else []
        self._forget_ended(lags)
        hangs, loops = list(self._hangs), list[LoopView]()
        for lag in lags:
            key = (lag.process, lag.thread)
            since_ns = self._since_ns.setdefault(key, now)
            hang = next((one for one in hangs if _is_of(one, lag, lags)), None)
            if hang is not None:
                hangs.remove(hang)
            row = self._row(now, key, hang, since_ns=since_ns, longest_ns=lag.longest_ns)
            loops.append(replace(row, runs=lag.runs, floor_ns=_FLOOR_NS))
        self._since_ns = {(one.process, one.thread): self._since_ns[one.process, one.thread] for one in lags}
        known = {(lag.process, lag.thread) for lag in lags}
        own = {(one.process, one.thread): one for one in hangs}
        for key in {**self._seen, **own}.keys() - known:
            seen = self._seen.get(key) or _Seen(self._began_ns)
            if key in own or self._is_recent(seen, now):
                row = self._row(now, key, own.get(key), since_ns=seen.since_ns, longest_ns=seen.longest_ns)
                loops.append(row)
        return loops

    def _row(
        self, now: int, key: tuple[str, str], hang: StallEvent | None, *, since_ns: int, longest_ns: dict[int, int]
    ) -> LoopView:
        """Returns a loop, as it is where stalls alone are known."""
        process, thread = key
        for_ns = max(hang.length_ns, now - self._moment(hang.at)) if hang is not None else 0
        lags = lags_of(longest_ns, now_ns=now, since_ns=since_ns, seconds=SECONDS, blocked_ns=for_ns)
        return LoopView(
            process=process,
            thread=thread,
            runs=None,
            floor_ns=self._threshold_ns,
            lags_ns=lags,
            blocked=Blocked(seen=hang, for_ns=for_ns) if hang is not None else None,
        )

    def _is_recent(self, seen: _Seen, now: int) -> bool:
        """Returns whether a loop, which may have ended, is worth a row: it had a stall in the seconds shown.

        One that is looked at from outside has a row for as long as it is watched.
        """
        return self._files is None or any(second > now // NS_PER_S - SECONDS for second in seen.longest_ns)

    def _forget_ended(self, lags: list[LoopLag]) -> None:
        """Leaves out stalls that have ended without a report: their loop has moved on, or its process has ended."""
        if self._files is None:
            return
        pids = {str(lag.pid) for lag in lags}
        self._hangs = [
            hang
            for hang in self._hangs
            if (not self._known_process(hang) or _pid(hang) in pids)
            and not any(
                lag.last_ns > self._moment(hang.at) + self._threshold_ns for lag in lags if _is_of(hang, lag, lags)
            )
        ]

    def _known_process(self, hang: StallEvent) -> bool:
        """Returns whether a process has handed lags over before."""
        return any(process.rpartition(" ")[2] == _pid(hang) for process, _ in self._since_ns)

    def _moment(self, at: float) -> int:
        """Returns a time of the day on the monotonic clock."""
        return self._clock() - round((self._wall() - at) * NS_PER_S)


def _merged(lags: list[LoopLag]) -> list[LoopLag]:
    """Returns one lag for each thread: loops run in it one after the other."""
    found: dict[tuple[str, str], LoopLag] = {}
    for lag in lags:
        key = (lag.process, lag.thread)
        known = found.get(key)
        if known is not None:
            seconds = {*known.longest_ns, *lag.longest_ns}
            both = {one: max(known.longest_ns.get(one, 0), lag.longest_ns.get(one, 0)) for one in seconds}
            runs, last_ns = known.runs or lag.runs, max(known.last_ns, lag.last_ns)
            found[key] = replace(lag, runs=runs, last_ns=last_ns, longest_ns=both)
        else:
            found[key] = lag
    return list(found.values())


def _pid(seen: StallEvent) -> str:
    return seen.process.rpartition(" ")[2]


def _same_loop(one: StallEvent, other: StallEvent) -> bool:
    """Returns whether two reports may be of the same loop: the helper names the main thread alone."""
    threads = {one.thread, other.thread}
    return _pid(one) == _pid(other) and (len(threads) == 1 or ("" in threads and _MAIN not in threads))


def _same_begin(one: StallEvent, other: StallEvent) -> bool:
    return abs(one.at - other.at) < _SAME_S


def _ends(ended: StallEvent, hang: StallEvent) -> bool:
    """Returns whether a stall that went on is over: by its own end, or by a later stall of the same thread."""
    return _same_loop(ended, hang) and (
        _same_begin(ended, hang) or (bool(hang.thread) and ended.at > hang.at and ended.thread == hang.thread)
    )


def _is_of(hang: StallEvent, lag: LoopLag, lags: list[LoopLag]) -> bool:
    """Returns whether a stall that goes on is surely one of a loop's."""
    if _pid(hang) != str(lag.pid):
        return False
    if hang.thread:
        return hang.thread == lag.thread
    others = [one for one in lags if one.pid == lag.pid and one.thread != _MAIN]
    return others == [lag]


def _badness(loop: LoopView) -> tuple[int, int, str]:
    """Returns the order of loops: blocked ones first, then by their longest lag."""
    blocked_ns = loop.blocked.for_ns if loop.blocked is not None else 0
    return -blocked_ns, -(loop.longest_ns or 0), loop.process


def _copied(item: Culprit) -> Culprit:
    """Returns a culprit that does not change any more."""
    return replace(item, causes=Counter(item.causes), places=Counter(item.places))
