"""Stalls and regressions that are lived with on purpose, each with a reason and a date on which that ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import datetime as dt
from typing import Any

from loopstall.errors import InputError, did_you_mean
from loopstall.metrics import format_ns
from loopstall.records import REGRESSION, STALL, Verdict

__all__ = ["FIELDS", "Accepted", "apply", "parse"]

FIELDS = ("what", "workload", "strategy", "where", "budget", "reason", "who", "until")
_REQUIRED = ("what", "workload", "budget", "reason", "who", "until")
_KINDS = (STALL, REGRESSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One entry.

    Args:
        what: ``stall`` or ``regression``.
        workload: its name, or its whole row with the parameters.
        strategy: the one it is for; every one for "".
        where: end of the path and line of the culprit of a stall, as ``app.py:12``; any for "".
        budget: the longest stall in ns, or the greatest relative change.
        reason: why it is accepted.
        who: by whom.
        until: the last day on which it is.
    """

    what: str
    workload: str
    strategy: str = ""
    where: str = ""
    budget: float
    reason: str
    who: str
    until: dt.date

    def covers(self, item: Verdict) -> bool:
        """Says whether this entry is about a regression, whatever its size."""
        if item.kind != self.what or self.workload not in {item.row, item.row.partition("[")[0]}:
            return False
        place = f"{item.culprit.file}:{item.culprit.line}" if item.culprit is not None else ""
        return self.strategy in {"", item.strategy} and place.endswith(self.where)


def parse(table: Mapping[str, Any], source: str, *, stall: Any, share: Any) -> tuple[Accepted, ...]:
    """Reads the entries of an accepted file.

    Args:
        table: the file's content.
        source: the file's name, for errors.
        stall: reads a length of time as seconds.
        share: reads a percentage as a share.

    Raises:
        InputError: a key is unknown or missing, the reason is empty, or a value is not what it should be.
    """
    for key in table:
        if key != "accepted":
            raise InputError(f"{source}: unknown key {key!r}; entries are [[accepted]] tables")
    entries = table.get("accepted", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{source}: entries are [[accepted]] tables")
    return tuple(_entry(entry, f"{source}, entry {number}", stall, share) for number, entry in enumerate(entries, 1))


def _entry(entry: Mapping[str, Any], place: str, stall: Any, share: Any) -> Accepted:
    for key in entry:
        if key not in FIELDS:
            raise InputError(f"{place}: unknown key {key!r}; {did_you_mean(key, FIELDS)}")
    for key in _REQUIRED:
        if not str(entry.get(key, "")).strip():
            raise InputError(f"{place} has no {key}; every entry says {', '.join(_REQUIRED)}")
    if entry["what"] not in _KINDS:
        raise InputError(f"{place}: what = {entry['what']!r} is neither {' nor '.join(map(repr, _KINDS))}")
    until = entry["until"]
    if isinstance(until, str):
        try:
            until = dt.date.fromisoformat(until)
        except ValueError as error:
            raise InputError(f"{place}: until = {until!r} is not a date; write for instance 2027-01-31") from error
    if isinstance(until, dt.datetime) or not isinstance(until, dt.date):
        raise InputError(f"{place}: until = {until} is not a date; write for instance 2027-01-31")
    try:
        budget = stall(str(entry["budget"])) * 1e9 if entry["what"] == STALL else share(str(entry["budget"]))
    except ValueError as error:
        raise InputError(f"{place}: budget: {error}") from error
    return Accepted(
        what=entry["what"],
        workload=str(entry["workload"]),
        strategy=str(entry.get("strategy", "")),
        where=str(entry.get("where", "")),
        budget=budget,
        reason=str(entry["reason"]).strip(),
        who=str(entry["who"]),
        until=until,
    )


def apply(verdicts: Sequence[Verdict], entries: Sequence[Accepted], *, today: dt.date) -> list[Verdict]:
    """Marks the regressions that are accepted, and says of the others why an entry does not cover them any more."""
    return [_applied(item, entries, today) if item.verdict == "regressed" else item for item in verdicts]


def _applied(item: Verdict, entries: Sequence[Accepted], today: dt.date) -> Verdict:
    missed: list[str] = []
    for entry in entries:
        if not entry.covers(item):
            continue
        if today > entry.until:
            missed.append(f"it was accepted until {entry.until}, which has passed")
        elif item.amount > entry.budget:
            missed.append(
                f"it was accepted up to {_size(entry.what, entry.budget)} and is {_size(item.kind, item.amount)}"
            )
        else:
            return replace(item, accepted=f"{entry.reason} ({entry.who}, until {entry.until})")
    return replace(item, rule="; ".join([item.rule, *missed]))


def _size(what: str, amount: float) -> str:
    return format_ns(amount) if what == STALL else f"{amount:+.1%}"
