"""Accepted stalls and regressions: the file that lists them, each with a reason and the last day it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import datetime as dt
from fnmatch import fnmatchcase
import json
import os
from pathlib import Path
import tomllib
from typing import Any

from loopstall.errors import InputError, did_you_mean
from loopstall.records import REGRESSION, STALL, Frame, Verdict
from loopstall.records.cells import strategy_shown
from loopstall.records.clock import NS_PER_S
from loopstall.records.files import write_text
from loopstall.records.units import DURATION, SHARE, format_ns

__all__ = ["FIELDS", "Accepted", "append", "apply", "parse", "read"]

FIELDS = ("what", "workload", "strategy", "test", "where", "budget", "reason", "who", "until")
_REQUIRED = ("what", "budget", "reason", "who", "until")
_EITHER = ("workload", "test")
_KINDS = (STALL, REGRESSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An entry of the file: a regression or a stall that is accepted for a time.

    Args:
        what: ``stall`` or ``regression``.
        workload: its name, or its whole row with the parameters; "" where it is about tests.
        strategy: the one it is for; every one for "".
        test: the test in which it happens, as pytest names it, ``*`` for anything; "" where it is about a cell.
        where: end of the culprit's path, with its line or its function: ``app.py:12``, ``app.py in login``; any for "".
        budget: the longest stall in ns, or the greatest relative change.
        reason: why it is accepted.
        who: by whom.
        until: the last day on which it is.
    """

    what: str
    workload: str = ""
    strategy: str = ""
    test: str = ""
    where: str = ""
    budget: float
    reason: str
    who: str
    until: dt.date

    def covers(self, item: Verdict) -> bool:
        """Returns whether this entry is about a regression, whatever its size."""
        if item.kind != self.what or self.workload not in {item.row, item.row.partition("[")[0]}:
            return False
        return self.strategy in {"", item.strategy} and self._is_at(item.culprit)

    def covers_stall(self, test: str, culprit: Frame | None) -> bool:
        """Returns whether this entry is about stalls of a line in a test, whatever their length."""
        pattern = self.test.replace("[", "[[]")  # of parameters, not of a set of letters
        return self.what == STALL and fnmatchcase(test, pattern) and self._is_at(culprit)

    def _is_at(self, culprit: Frame | None) -> bool:
        if not self.where:
            return True
        if culprit is None:
            return False
        file = culprit.file.replace(os.sep, "/")
        places = (f"/{file}:{culprit.line}", f"/{file} in {culprit.function}")
        return any(place.endswith(f"/{self.where}") for place in places)


def parse(table: Mapping[str, Any], source: str) -> tuple[Accepted, ...]:
    """Reads the entries of an accepted file.

    Args:
        table: the file's content.
        source: the file's name, for errors.

    Raises:
        InputError: a key is unknown or missing, the reason is empty, or a value is not what it should be.
    """
    for key in table:
        if key != "accepted":
            raise InputError(f"{source}: unknown key {key!r}; entries are [[accepted]] tables")
    entries = table.get("accepted", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{source}: entries are [[accepted]] tables")
    return tuple(_entry(entry, f"{source}, entry {number}") for number, entry in enumerate(entries, 1))


def _entry(entry: Mapping[str, Any], place: str) -> Accepted:
    for key in entry:
        if key not in FIELDS:
            raise InputError(f"{place}: unknown key {key!r}; {did_you_mean(key, FIELDS)}")
    for key in _REQUIRED:
        if not str(entry.get(key, "")).strip():
            raise InputError(f"{place} has no {key}; every entry says {', '.join(_REQUIRED)}")
    if sum(bool(str(entry.get(key, "")).strip()) for key in _EITHER) != 1:
        raise InputError(f"{place} says neither or both of {' and '.join(_EITHER)}; every entry is about one of them")
    if entry["what"] not in _KINDS:
        raise InputError(f"{place}: what = {entry['what']!r} is neither {' nor '.join(map(repr, _KINDS))}")
    try:
        kind, unit = (DURATION, NS_PER_S) if entry["what"] == STALL else (SHARE, 1)
        budget = kind.parse(str(entry["budget"])) * unit
    except ValueError as error:
        raise InputError(f"{place}: budget: {error}") from error
    return Accepted(
        what=entry["what"],
        workload=str(entry.get("workload", "")),
        strategy=strategy_shown(str(entry.get("strategy", ""))),
        test=str(entry.get("test", "")),
        where=str(entry.get("where", "")),
        budget=budget,
        reason=str(entry["reason"]).strip(),
        who=str(entry["who"]),
        until=_date(entry["until"], place),
    )


def _date(until: Any, place: str) -> dt.date:
    if isinstance(until, str):
        try:
            return dt.date.fromisoformat(until)
        except ValueError as error:
            raise InputError(f"{place}: until = {until!r} is not a date; write for instance 2027-01-31") from error
    if isinstance(until, dt.datetime) or not isinstance(until, dt.date):
        raise InputError(f"{place}: until = {until} is not a date; write for instance 2027-01-31")
    return until


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


def read(path: Path, *, required: bool = False) -> tuple[Accepted, ...]:
    """Reads the entries.

    Args:
        path: of the file.
        required: whether it must be there; else a missing one has no entries.

    Raises:
        InputError: it cannot be read, or says something that is no entry.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if required:
            raise InputError(f"cannot read {path}: there is no such file") from error
        return ()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    return parse(table, str(path))


def append(path: Path, entries: Sequence[Accepted]) -> None:
    """Adds entries; what else is in the file stays as it is.

    Raises:
        InputError: it cannot be written.
    """
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        written = "\n".join(map(_toml, entries))
        write_text(path, f"{before.rstrip()}\n\n{written}".lstrip())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot write {path}: {error}") from error


def _toml(entry: Accepted) -> str:
    fields = {
        "what": entry.what,
        "workload": entry.workload,
        "strategy": entry.strategy,
        "test": entry.test,
        "where": entry.where,
        "budget": f"{entry.budget / 1e6:.1f}ms" if entry.what == STALL else f"{entry.budget:.1%}",
        "reason": entry.reason,
        "who": entry.who,
    }
    # A JSON string is a TOML string: both escape the same way.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items() if value]
    return "\n".join(["[[accepted]]", *lines, f"until = {entry.until}", ""])
