"""The cards of a session of stalls: a card a function that blocked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
import shlex

from loopstall.analysis.blocked import Blocked, Part, blocked, by_function
from loopstall.analysis.culprits import blame
from loopstall.analysis.fixes import Fix, fix_of_line
from loopstall.analysis.rules import Rule, had_gil, rule_of
from loopstall.records import DESCHEDULED, Frame, StallEvent
from loopstall.records.clock import NS_PER_MS
from loopstall.records.frames import is_users
from loopstall.records.units import format_ns
from loopstall.report.page.cards import Card, Subject, causes, how_often, lines_of, stacks_id, title_of
from loopstall.report.page.source import place_to_change, statement_at
from loopstall.report.stall_document import Session
from loopstall.report.stall_text import blamed

__all__ = ["cards_of_session"]

_NAMES = 3  # routes, tests or tasks that are told of a card
_LOCK = "futex"  # the system call in which a thread waits for a lock
_LOOKED_AT = 20  # stalls of a function, for what it waited in
_WATCH = "loopstall watch "


def cards_of_session(session: Session) -> list[Card]:
    """Returns a card for each function that blocked, the user's own before those of libraries, the worst first.

    Stalls that the machine made have none, unless there are no others.
    """
    culprits = session.summary.culprits
    own = [item for item in culprits if item.cause != DESCHEDULED]
    groups = by_function(map(Part.of, own or culprits))
    groups.sort(key=lambda group: group[0].frame is None or not is_users(group[0].frame.file))
    left_ns = {id(group): sum(item.total_ns for item in group) for group in groups}
    seen: list[Card] = []
    for group in groups:
        others = [item for other in groups if other is not group for item in other]
        rest = _Rest(total_ns=sum(left_ns.values()) - left_ns[id(group)], all_ns=sum(left_ns.values()),
                     longest_ns=max((item.longest_ns for item in others), default=0))  # fmt: skip
        frames = {item.frame for item in group}
        told = [event for event in session.summary.longest if blame(event.stall).frame in frames]
        seen.append(_of_function(blocked(group, [event.stall for event in told]), told, session, rest))
    return seen


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rest:
    """The time that is left of a session's stalls without those of a card, in ns."""

    total_ns: int
    all_ns: int
    longest_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The subjects that were blocked, by kind: routes, tests, else tasks."""

    names: Counter[str] = field(default_factory=Counter)
    tests: bool = False


def _of_function(seen: Blocked, told: Sequence[StallEvent], session: Session, rest: _Rest) -> Card:
    example = seen.example
    gil = had_gil(example) if example is not None else True
    rule, frame = rule_of(seen.cause, gil=gil), seen.frame
    asked = _asked(told)
    users = frame is not None and is_users(frame.file)
    fix, change = _fix_of_line(seen, rule, told, gil=gil) if users else (Fix(advice=rule.advice), None)
    return Card(
        rule=rule,
        title=title_of(rule, seen),
        tone="" if seen.cause == DESCHEDULED else "bad",
        subjects=tuple(Subject(text=name) for name, _ in asked.names.most_common(_NAMES)),
        told=f"{how_often(seen)}.",
        frame=frame,
        where=blamed(blame(seen.example)) if frame is None and seen.example is not None else "",
        lines=lines_of(seen),
        why=f"{rule.cause} {causes(seen)}",
        confidence=seen.confidence,
        fix=fix.advice,
        code=fix.code,
        change=change if change != frame else None,
        command=_again(session, asked),
        gain=_gain(rest),
        stacks=stacks_id(frame),
    )


def _asked(told: Sequence[StallEvent]) -> _Asked:
    """Returns what was blocked, with the time that it was: routes where they are known, else tests, else tasks."""
    routes: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    tasks: Counter[str] = Counter()
    for event in told:
        stall = event.stall
        if stall.label:
            routes[stall.label] += event.length_ns
        if event.test:
            tests[event.test] += event.length_ns
        tasks[_task(event)] += event.length_ns
    return _Asked(names=tests or routes or tasks, tests=bool(tests))


def _task(event: StallEvent) -> str:
    """Names what the loop was running: where the user's code begins, and the task, which may be a server's own."""
    stall = event.stall
    entry = next((frame.function for frame in reversed(stall.stack) if is_users(frame.file)), "")
    task = stall.coroutine or stall.task
    if entry and task and entry != task:
        return f"{entry}, in task {task}"
    return entry or (f"task {task}" if task else event.process or "an event loop")


def _fix_of_line(seen: Blocked, rule: Rule, told: Sequence[StallEvent], *, gil: bool) -> tuple[Fix, Frame | None]:
    example, frame = seen.example, seen.frame
    if example is None or frame is None:
        return Fix(advice=rule.advice), None
    where, callee = place_to_change(example.stack, frame)
    calls = [name for event in told[:_LOOKED_AT] if event.stall.evidence for name in event.stall.evidence.syscalls]
    fix = fix_of_line(
        rule.name,
        statement_at(where),
        callee=callee,
        native=seen.cause == "cpu-native",
        locked=bool(calls) and calls.count(_LOCK) * 2 > len(calls),
        gil=gil,
    )
    return (fix, where) if fix is not None else (Fix(advice=rule.advice), None)


def _again(session: Session, asked: _Asked) -> str:
    """Writes the command that shows whether the fix holds."""
    limit = f"{session.threshold_ns / NS_PER_MS:g}ms"
    if asked.tests:
        (name, _), *_ = asked.names.most_common(1)
        return f"pytest --stall-budget {limit} {shlex.quote(name)}"
    if session.title.startswith(_WATCH):
        return f"{_WATCH}--fail-over {limit} {session.title.removeprefix(_WATCH)}"
    return ""


def _gain(rest: _Rest) -> str:
    """Says what is left of the stalls without these."""
    if not rest.longest_ns:
        return "Without it no loop was blocked: it has all of the stalled time."
    share = 1 - rest.total_ns / max(1, rest.all_ns)
    return (
        f"It has {share:.0%} of the stalled time. Without it {format_ns(rest.total_ns)} of {format_ns(rest.all_ns)} are"
        f" left, the longest stall {format_ns(rest.longest_ns)}."
    )
