"""The first screen, three cards: what was blocked, where, for how long and how often, why, the fix and its gain.

One model for a matrix and for a session of stalls; ``cards.html.j2`` shows both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import hashlib

from loopstall.analysis.blocked import Blocked
from loopstall.analysis.rules import Rule
from loopstall.records import Frame
from loopstall.records.units import format_ns
from loopstall.report.page.icicle import source_line

__all__ = [
    "SHOWN",
    "Card",
    "Gain",
    "SourceLine",
    "Subject",
    "causes",
    "how_often",
    "lines_of",
    "numbered",
    "stacks_id",
    "title_of",
]

SHOWN = 3
"""Cards of the first screen; the others unfold."""

_LEAST_SHARE = 0.05  # of the stalled time, for a line beside the worst one


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A cell, a route, a test or a task that was blocked; ``cell`` is the number of its timeline, -1 for none."""

    text: str
    cell: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """A line of the blocking function, with its share of the stalled time."""

    number: int
    text: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """A figure before and after the fix."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A finding as a reader needs it; texts are plain, "" where there is nothing to say.

    ``told`` is for how long and how often, ``why`` the cause with the evidence, ``change`` the place to change where
    that is not the blocking line, ``stacks`` the id of its stacks on the page.
    """

    rule: Rule
    title: str
    tone: str = ""
    subjects: tuple[Subject, ...] = ()
    told: str = ""
    frame: Frame | None = None
    where: str = ""
    lines: tuple[SourceLine, ...] = ()
    why: str = ""
    confidence: str = ""
    fix: str = ""
    code: str = ""
    change: Frame | None = None
    command: str = ""
    gain: str = ""
    gains: tuple[Gain, ...] = ()
    control: bool = False
    stacks: str = ""


def stacks_id(frame: Frame | None) -> str:
    """Returns the id by which the cards lead to a line's stacks, "" for none."""
    if frame is None:
        return ""
    return f"stacks-{hashlib.blake2b(str(frame).encode('utf-8', 'replace'), digest_size=5).hexdigest()}"


def numbered(cards: Sequence[Card]) -> dict[str, int]:
    """Returns by the id of its stacks the number of the first card that leads there, from 1 on."""
    found: dict[str, int] = {}
    for number, item in enumerate(cards, 1):
        if item.stacks:
            found.setdefault(item.stacks, number)
    return found


def title_of(rule: Rule, seen: Blocked | None) -> str:
    """Returns the title of a rule, and where the loop computed if it did: work of the kernel's counts as well."""
    if seen is None or rule.name != "cpu-on-loop":
        return rule.title
    return f"{rule.title}, in {'C code or the kernel' if seen.cause == 'cpu-native' else 'Python'}"


def how_often(seen: Blocked, within: str = "") -> str:
    """Says how often and for how long it blocked; ``within`` stands behind the number."""
    if seen.count == 1:
        return f"Blocked once{within}, for {format_ns(seen.longest_ns)}"
    longest, total = format_ns(seen.longest_ns), format_ns(seen.total_ns)
    return f"Blocked {seen.count} times{within}, for {longest} at worst and {total} in all"


def causes(seen: Blocked) -> str:
    """Says which causes have which share of the time."""
    shares = [f"{name} {share:.0%}" for name, share in seen.causes if share >= 0.005]  # noqa: PLR2004  # half a percent
    seen_in = f"; the line was seen waiting in {seen.waited_in}" if seen.waited_in else ""
    return f"Of the stalled time: {', '.join(shares)}{seen_in}." if shares else ""


def lines_of(seen: Blocked) -> tuple[SourceLine, ...]:
    """Returns the source of the blocking lines in its order, without those that are not there."""
    found = [
        SourceLine(number=frame.line, text=source_line(frame.file, frame.line), share=share)
        for at, (frame, share) in enumerate(seen.lines)
        if not at or share >= _LEAST_SHARE
    ]
    return tuple(sorted((item for item in found if item.text), key=lambda item: item.number))
