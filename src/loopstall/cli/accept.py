"""``loopstall accept``."""

import datetime as dt
import getpass
from pathlib import Path
import subprocess
from typing import Any

import click

from loopstall.cli.options.helped import HelpedCommand
from loopstall.errors import InputError
from loopstall.gate import ACCEPTED_FILE
from loopstall.gate.accepted import Accepted, append, apply
from loopstall.loops import asyncio_loop
from loopstall.records import STALL, Advice, Strategy, Verdict, units
from loopstall.records.cells import INLINE, strategy_shown
from loopstall.records.units import counted, format_ns
from loopstall.report.output import say
from loopstall.results import store
from loopstall.results.advice_file import read
from loopstall.results.pages import REPORTS

__all__ = ["command"]

_DAYS = 90
_INLINE = str(Strategy(loop=asyncio_loop.LOOP.name, dispatch=INLINE))
_MARGIN = 1.1
"""The margin over the measured value that is accepted: a second measurement never gives the same value."""


_EXAMPLES = (
    ('loopstall accept --reason "moves to a worker in 2.1"', "Accept what the newest gate found, for 90 days."),
    ('loopstall accept --workload hashing --until 2027-01-31 --reason "..."', "Accept one workload until a day."),
)
_GROUPS = {
    "What to accept": ("workload", "strategy", "budget"),
    "Why, who and until when": ("reason", "who", "until"),
    "Output": ("path",),
}


@click.command("accept", cls=HelpedCommand, examples=_EXAMPLES, groups=_GROUPS)
@click.argument("results", required=False, type=click.Path(path_type=Path))
@click.option("--workload", help="Accept regressions of this workload only.")
@click.option("--strategy", help="Accept regressions under this strategy only.")
@click.option("--reason", required=True, help="Why they are accepted; kept in the file.")
@click.option("--budget", help="Longest stall (80ms) or largest change (12%) to accept. [10% above the measured one]")
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), help=f"Last day on which they are accepted. [in {_DAYS} days]"
)
@click.option("--who", help="Who accepts them. [git's user.name]")
@click.option("--file", "path", type=click.Path(path_type=Path), default=ACCEPTED_FILE, show_default=True,
              help="File to add the entries to.")  # fmt: skip
def command(results: Path | None, path: Path, **options: Any) -> int:
    """Accept the regressions that a gate found: add them, with a reason and a last day, to a file that gates read.

    RESULTS is the gate's results folder; without it, the newest in reports/. Or it is the JSON of `loopstall advise
    -o`: then the file records that the function stays on the loop.
    """
    reason = options["reason"].strip()
    if not reason:
        raise click.UsageError("--reason is empty; write why this is accepted")
    today = dt.date.today()  # noqa: DTZ011  # a local date
    until = options["until"].date() if options["until"] else today + dt.timedelta(days=_DAYS)
    who = options["who"] or _user()
    if results is not None and results.is_file():
        entry = _of_advice(read(results), reason=reason, budget=options["budget"], until=until, who=who)
        append(path, [entry])
        say(f"accepted until {until}: {entry.where or entry.workload} on the loop, up to {format_ns(entry.budget)}")
        say(_written(1, path))
        return 0
    folder = results or _newest()
    chosen = [
        item
        for item in store.read_verdicts(folder)
        if item.verdict == "regressed"
        and not item.accepted
        and options["workload"] in {None, item.row, item.row.partition("[")[0]}
        and strategy_shown(options["strategy"] or item.strategy) == item.strategy
    ]
    if not chosen:
        raise InputError(f"{folder} holds no regression to accept; see what its verdicts.json says")
    entries = [_entry(item, reason=reason, budget=options["budget"], until=until, who=who) for item in chosen]
    refused = [item for item in apply(chosen, entries, today=today) if not item.accepted]
    if refused:
        raise InputError(f"this would not cover {refused[0].name}: {refused[0].rule}")
    append(path, entries)
    for item in chosen:
        say(f"accepted until {until}: {item.name}")
    say(_written(len(entries), path))
    return 0


def _written(count: int, path: Path) -> str:
    return f"{counted(count, 'entry', 'entries')} added to {path}: commit that file, for gates read it"


def _newest() -> Path:
    found = sorted(REPORTS.glob(f"*/{store.VERDICTS_FILE}"))
    if not found:
        raise InputError(f"there is no result of a gate in {REPORTS}/; name its folder")
    return found[-1].parent


def _user() -> str:
    done = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or getpass.getuser()


def _entry(item: Verdict, *, reason: str, budget: str | None, until: dt.date, who: str) -> Accepted:
    kind = units.DURATION if item.kind == STALL else units.SHARE
    unit = 1e9 if item.kind == STALL else 1.0
    amount = item.amount * _MARGIN if budget is None else _parsed(kind, budget) * unit
    where = f"{Path(item.culprit.file).name}:{item.culprit.line}" if item.culprit is not None else ""
    return Accepted(
        what=item.kind, workload=item.row, strategy=item.strategy, where=where, budget=amount, reason=reason, who=who,
        until=until,
    )  # fmt: skip


def _of_advice(advice: Advice, *, reason: str, budget: str | None, until: dt.date, who: str) -> Accepted:
    """Returns the entry that keeps a function on the loop, in tests as well as in a gate."""
    longest_ns = max(
        (way.wait.high for way in advice.ways if way.strategy == _INLINE and way.wait is not None), default=0
    )
    amount = longest_ns * _MARGIN if budget is None else _parsed(units.DURATION, budget) * 1e9
    if amount <= 0:
        raise InputError(
            "the advice has no figure of the function inline; give the longest stall to accept with --budget"
        )
    place, colon, function = advice.target.rpartition(":")
    if not colon:
        return Accepted(
            what=STALL, workload=advice.target, strategy=_INLINE, budget=amount, reason=reason, who=who, until=until
        )
    file = place if place.endswith(".py") else f"{place.replace('.', '/')}.py"
    return Accepted(
        what=STALL, test="*", where=f"{file} in {function}", budget=amount, reason=reason, who=who, until=until
    )


def _parsed(kind: units.Unit, text: str) -> float:
    try:
        return kind.parse(text)
    except ValueError as error:
        raise click.UsageError(f"--budget: {error}") from error
