"""The cards of a matrix: a card a finding."""

from loopstall.analysis.content import Digest
from loopstall.analysis.diagnosis import Diagnosis
from loopstall.analysis.fixes import Fix, fix_of_strategy
from loopstall.analysis.metrics import METRICS
from loopstall.records import Cell, Summary
from loopstall.records.units import format_value
from loopstall.report.page.cards import Card, Gain, Subject, causes, how_often, lines_of, stacks_id, title_of

__all__ = ["cards_of_matrix"]

_GAINS = ("lag_p99", "longest_stall", "throughput")


def cards_of_matrix(made: Digest) -> list[Card]:
    """Returns a card for each finding, the worst first."""
    numbers = {item.cell: number for number, item in enumerate(made.summaries)}
    known = {item.cell: item for item in made.summaries}
    return [_of_finding(item, numbers, known) for item in made.diagnoses]


def _of_finding(item: Diagnosis, numbers: dict[Cell, int], known: dict[Cell, Summary]) -> Card:
    cells = (item.cell, *item.others) if item.cell is not None else ()
    subjects = [
        Subject(text=f"{cell.row} · {cell.strategy}" if not at else str(cell.strategy), cell=numbers[cell])
        for at, cell in enumerate(cells)
    ]
    seen = item.blocked
    best = known.get(item.recommended) if item.recommended is not None else None
    fix = _fix_of_strategy(item, best)
    return Card(
        rule=item.rule,
        title=title_of(item.rule, seen),
        tone="fine" if item.rule.name == "clean" else "bad" if item.weight[0] < 2 else "",  # noqa: PLR2004  # a trap
        subjects=tuple(subjects),
        control=item.cell is not None and item.cell.control,
        told=_told(item, known),
        frame=item.culprit,
        lines=lines_of(seen) if seen is not None else (),
        why=f"{item.rule.cause} {causes(seen)}" if seen is not None else item.rule.cause,
        confidence=seen.confidence if seen is not None else "",
        fix=fix.advice,
        code=fix.code,
        command=item.command,
        gain=f"{item.alternative}." if item.alternative else "",
        gains=_gains(known[item.cell], best) if best is not None and item.cell is not None else (),
        stacks=stacks_id(item.culprit),
    )


def _told(item: Diagnosis, known: dict[Cell, Summary]) -> str:
    """Says for how long and how often the loop was blocked, or what else was measured."""
    if item.blocked is None or item.cell is None:
        return f"{_sentence(item.measured)} Threshold: {item.threshold}."
    summary = known[item.cell]
    runs = f"{summary.runs} run{'' if summary.runs == 1 else 's'}"
    free = f"free for {summary['availability'].value:.0%} of the time"
    return f"{how_often(item.blocked, f' in {runs}')}; {free}. Over the budget in {summary.broke} of {runs}."


def _fix_of_strategy(item: Diagnosis, best: Summary | None) -> Fix:
    way = None
    if best is not None and item.cell is not None:
        way = fix_of_strategy(best.cell.strategy.dispatch, item.cell.workload.name)
    if best is None or way is None:
        return Fix(advice=item.rule.advice)
    return Fix(advice=f"{way.advice} Measured here: {best.cell.strategy}{item.price}.", code=way.code)


def _gains(before: Summary, after: Summary) -> tuple[Gain, ...]:
    shown = [name for name in _GAINS if name != "throughput" or before.cell.load.rate is None]
    return tuple(
        Gain(label=METRICS[name].label, before=_figure(name, before), after=_figure(name, after)) for name in shown
    )


def _figure(name: str, item: Summary) -> str:
    value = item[name].value
    return "none" if name == "longest_stall" and not value else format_value(value, METRICS[name].unit)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
