"""A stall with where and when it was seen, and its form as plain data for JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loopstall.records.stalls import Evidence, Frame, StackSample, Stall, StallPart

__all__ = ["StallEvent", "stall_event_from", "to_plain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StallEvent:
    """A stall with the process and the thread of its loop.

    Args:
        stall: the monitor's record of it.
        length_ns: the part of it that counts: the part within a test or its windows; else all of it.
        at: when it began, in seconds since 1970, UTC.
        process: name and number of the process.
        thread: name of the loop's thread.
        test: the test in which it happened, if one was running.
        over: whether it broke a budget.
    """

    stall: Stall
    length_ns: int
    at: float
    process: str = ""
    thread: str = ""
    test: str = ""
    over: bool = False

    @property
    def blamed(self) -> Frame | None:
        """The line to blame: of the thread that held the GIL where that was the cause, else the culprit."""
        return self.stall.holder or self.stall.culprit

    @property
    def own_ns(self) -> int:
        """The part of ``length_ns`` that is the program's own, which is what budgets are about.

        A stall of which only a part counts is taken to have waited for a CPU evenly: nobody knows when it did.
        """
        return self.length_ns * self.stall.own_ns // max(1, self.stall.duration_ns)

    @property
    def waited_cpu_ns(self) -> int:
        """The rest of it, in which the loop's thread waited for a CPU."""
        return self.length_ns - self.own_ns


def to_plain(stall_event: StallEvent) -> dict[str, Any]:
    """Returns a stall_event as JSON takes it; ``stall_event_from`` reads it."""
    plain: dict[str, Any] = _plain(stall_event)
    return plain


def _plain(value: Any) -> Any:
    """Does what ``dataclasses.asdict`` does, without copying texts and numbers: the program waits for it."""
    names = getattr(type(value), "__dataclass_fields__", ())
    if names:
        return {name: _plain(getattr(value, name)) for name in names}
    return tuple(map(_plain, value)) if type(value) is tuple else value


def stall_event_from(plain: Mapping[str, Any]) -> StallEvent:
    """Reads what ``to_plain`` made, also after JSON.

    Raises:
        TypeError, KeyError, ValueError: it is something else.
    """
    stall = dict(plain["stall"])
    stall["stack"] = tuple(Frame(**frame) for frame in stall["stack"])
    for name in ("culprit", "holder"):
        stall[name] = Frame(**stall[name]) if stall[name] is not None else None
    stall["glimpses"] = tuple(
        StackSample(**{**item, "culprit": Frame(**item["culprit"]) if item["culprit"] else None})
        for item in stall["glimpses"]
    )
    stall["parts"] = tuple(
        StallPart(**{**part, "culprit": Frame(**part["culprit"]) if part["culprit"] else None})
        for part in stall.get("parts", ())  # older files have none
    )
    if stall["evidence"] is not None:
        evidence = dict(stall["evidence"])
        stall["evidence"] = Evidence(**{**evidence, "syscalls": tuple(evidence["syscalls"])})
    return StallEvent(**{**plain, "stall": Stall(**stall)})
