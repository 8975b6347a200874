"""The things that stalls of one line or route have in common: how long, how often, at which lines, and why."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loopstall.analysis.culprits import Culprit, blame
from loopstall.analysis.rules import rule_of
from loopstall.records import Frame, Stall
from loopstall.records.thread_states import GIL, READY, RUNNING

__all__ = ["Blocked", "Part", "blocked", "by_function", "of_stalls"]

_COMPUTES = "cpu-on-loop"
_LINES = 3
"""Lines of a function that are told of: more say no more than where it begins and ends."""

_SEEN_SHARE, _SEEN_LEAST = 0.25, 3
"""Of the looks at a line, from which on what it was seen waiting in is what it does: a line that computes is never seen
in a system call. The CPU time that the kernel takes for one, or for many short ones, makes it look like computing."""

_SURE, _LIKELY = 0.9, 0.6
"""Shares of the stalled time that one kind of cause has to have to be called certain, and likely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The stalls of one line, as ``Culprit`` has them; the longest one is one with a stack, where any has."""

    frame: Frame | None
    count: int
    total_ns: int
    longest_ns: int
    longest: Stall | None
    causes: Counter[str]

    @staticmethod
    def of(item: Culprit) -> "Part":
        """Returns what is known of a culprit."""
        return Part(
            frame=item.frame, count=item.count, total_ns=item.total_ns, longest_ns=item.longest_ns,
            longest=item.longest, causes=item.causes,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Stalls that belong together, times in ns.

    Args:
        count: how many there were.
        total_ns: their time.
        longest_ns: the longest one's.
        causes: cause and share of the time, the most first.
        lines: of the function that has most of the time, its worst lines with their share of all the time.
        example: the longest stall at the first of these lines.
        waited_in: the system call in which the first of these lines was seen, "" where it was seen in none.
    """

    count: int
    total_ns: int
    longest_ns: int
    causes: tuple[tuple[str, float], ...]
    lines: tuple[tuple[Frame, float], ...]
    example: Stall | None
    waited_in: str = ""

    @property
    def frame(self) -> Frame | None:
        """The line to blame."""
        return self.lines[0][0] if self.lines else None

    @property
    def cause(self) -> str:
        """The most frequent cause of the most frequent kind: computing in Python and in C are one kind."""
        kinds = self.kinds
        if not kinds:
            return ""
        if self.waited_in and kinds[0][0] == _COMPUTES:
            return "blocking-call"
        return next((name for name, _ in self.causes if rule_of(name).name == kinds[0][0]), "")

    @property
    def kinds(self) -> list[tuple[str, float]]:
        """The rules by which causes mean the same, with their share of the time, the most first."""
        shares: dict[str, float] = {}
        for name, share in self.causes:
            kind = rule_of(name).name
            shares[kind] = shares.get(kind, 0.0) + share
        return sorted(shares.items(), key=lambda item: -item[1])

    @property
    def confidence(self) -> str:
        """The confidence: how much of the time speaks for the cause: high, medium or low."""
        kinds = self.kinds
        if not kinds or kinds[0][0] == "stall-of-unknown-cause":
            return "low"
        share = kinds[0][1]
        if self.waited_in and kinds[0][0] == _COMPUTES:
            return "medium"
        return "high" if share >= _SURE else "medium" if share >= _LIKELY else "low"


def blocked(items: Sequence[Part], stalls: Iterable[Stall] = ()) -> Blocked:
    """Puts the stalls of several lines together; of lines it names those of the function with the most time.

    Args:
        items: the lines.
        stalls: those of their stalls that are kept, for what was seen in them.
    """
    spent: Counter[str] = Counter()
    for item in items:
        spent.update(item.causes)
    total_ns = sum(item.total_ns for item in items)
    whole_ns = max(1, total_ns)
    worst = next(iter(by_function(item for item in items if item.frame is not None)), [])
    ordered = sorted(worst, key=lambda item: -item.total_ns)
    return Blocked(
        count=sum(item.count for item in items),
        total_ns=total_ns,
        longest_ns=max((item.longest_ns for item in items), default=0),
        causes=tuple((name, spent_ns / whole_ns) for name, spent_ns in spent.most_common()),
        lines=tuple((item.frame, item.total_ns / whole_ns) for item in ordered[:_LINES] if item.frame is not None),
        example=ordered[0].longest if ordered else next((item.longest for item in items), None),
        waited_in=_waited_in(stalls, ordered[0].frame) if ordered else "",
    )


def _waited_in(stalls: Iterable[Stall], frame: Frame | None) -> str:
    """Returns the system call in which looks have found a line, "" where too few have."""
    states = Counter(
        look.state
        for stall in stalls
        for look in stall.glimpses
        if look.culprit == frame and look.state not in {"", READY, GIL}
    )
    looks = states.total()
    del states[RUNNING]
    name, seen = next(iter(states.most_common(1)), ("", 0))
    return name if seen >= max(_SEEN_LEAST, _SEEN_SHARE * looks) else ""


def by_function(items: Iterable[Part]) -> list[list[Part]]:
    """Gathers lines by function, the most stalled time first: one that computes is met at several of its lines."""
    found: dict[tuple[str, str] | None, list[Part]] = {}
    for item in items:
        key = (item.frame.file, item.frame.function) if item.frame is not None else None
        found.setdefault(key, []).append(item)
    return sorted(found.values(), key=lambda group: -sum(item.total_ns for item in group))


def of_stalls(stalls: Iterable[Stall]) -> Blocked:
    """Puts stalls together by the line that each is put down to; those of a library's have none."""
    found: dict[Frame | None, list[Stall]] = {}
    for stall in stalls:
        found.setdefault(blame(stall).frame, []).append(stall)
    return blocked(
        [_part(frame, group) for frame, group in found.items()], [one for group in found.values() for one in group]
    )


def _part(frame: Frame | None, stalls: Sequence[Stall]) -> Part:
    causes: Counter[str] = Counter()
    for stall in stalls:
        causes[stall.cause] += stall.duration_ns
    return Part(
        frame=frame,
        count=len(stalls),
        total_ns=sum(stall.duration_ns for stall in stalls),
        longest=max(stalls, key=lambda stall: (bool(stall.stack), stall.duration_ns)),
        longest_ns=max(stall.duration_ns for stall in stalls),
        causes=causes,
    )
