"""The HTML page: one file that holds everything and asks the network for nothing."""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from itertools import pairwise
import math
import statistics
from typing import Any

import jinja2

from loopstall.analysis.compare import differing
from loopstall.analysis.content import Content, Digest
from loopstall.analysis.culprits import culprits
from loopstall.analysis.metrics import METRICS
from loopstall.analysis.rules import had_gil, rule_of
from loopstall.analysis.summary import samples
from loopstall.analysis.told import change
from loopstall.records import Cell, Environment, Finding, Trend, Verdict
from loopstall.records.units import counted, format_ns, format_value
from loopstall.report.escape import paragraph
from loopstall.report.layout import is_served
from loopstall.report.page.cards import SHOWN, numbered, stacks_id
from loopstall.report.page.charts import chart_data, worst_run
from loopstall.report.page.decision import FIGURES, decision_table
from loopstall.report.page.finding_cards import cards_of_matrix
from loopstall.report.page.icicle import flames, source_line
from loopstall.report.stall_text import blamed
from loopstall.report.text import place, printable, remarks, verdict
from loopstall.report.trend import moved, sentences
from loopstall.report.verdict_text import gate_sentence, ordered, sentence

__all__ = ["environment", "to_html", "trends_to_html"]

_CULPRITS = 40  # rows of the table of stalls
_AXIS = 0.005  # least half-width of the comparison's axis
_SPARK = (640, 120)
_STYLES = ("page.css", "cards.css", "table.css", "flame.css", "timelines.css", "compare.css")
_SCRIPTS = ("charts.js", "page.js", "timelines.js", "cards.js", "table.js", "flame.js")
_STALL_SCRIPTS = ("cards.js", "flame.js")


def to_html(made: Digest) -> str:
    """Renders one self-contained page."""
    content = made.content
    environments = [run.environment for run in content.runs if run.environment is not None]
    names = [f"{item.cell.row} · {item.cell.strategy}" for item in made.summaries]
    bases = {cell.key: worst for cell, runs in samples(content.baselines).items() if (worst := worst_run(runs))}
    to_blame = culprits(enumerate(made.samples.values()))
    cards = cards_of_matrix(made)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            content=content,
            restored=made.restored,
            run_count=sum(item.runs for item in made.summaries) if made.restored else len(content.runs),
            title=content.title,
            verdict=gate_sentence(content.verdicts) if content.verdicts else verdict(made.summaries),
            cards=cards,
            shown=SHOWN,
            with_stacks={stacks_id(item.frame) for item in to_blame[:_CULPRITS]},
            card_of=numbered(cards),
            names=names,
            failures=[item for item in made.summaries if item.error is not None],
            table=decision_table(made.summaries, made.skipped, content.budgets, _recommended(made)),
            figures=[(name, METRICS[name].label) for name in FIGURES],
            served=is_served(made.summaries, made.skipped),
            skipped=made.skipped,
            remarks=[*content.notes, *remarks(content.runs)],
            culprits=to_blame[:_CULPRITS],
            culprit_count=len(to_blame),
            stall_count=sum(run.measured.stall_count for run in content.runs if run.measured is not None),
            flames=flames(stall for run in content.runs if run.measured is not None for stall in run.measured.stalls),
            charts=chart_data(made.summaries, made.samples, bases),
            comparison=_comparison(content),
            drawn=[_drawn(trend) for trend in content.trends],
            changes=sentences(content.trends),
            environment=environments[0] if environments else None,
            other_machines=_other_machines(environments),
            loops=sorted({item.loop for item in environments}),
            loads=[item.load_1min for item in environments if item.load_1min is not None],
        )
    )


def _recommended(made: Digest) -> dict[Cell, int]:
    """Returns by cell the number of the first finding that recommends it."""
    found: dict[Cell, int] = {}
    for number, item in enumerate(made.diagnoses, 1):
        if item.recommended is not None:
            found.setdefault(item.recommended, number)
    return found


def trends_to_html(trends: Sequence[Trend], *, title: str) -> str:
    """Renders figures over commits as a page of their own."""
    changed = sum(bool(item.changes) for item in trends)
    return (
        environment()
        .get_template("trends.html.j2")
        .render(
            title=title,
            verdict=f"{changed} of {counted(len(trends), 'figure')} changed level.",
            drawn=[_drawn(trend) for trend in trends],
            changes=sentences(trends),
        )
    )


@cache
def environment() -> jinja2.Environment:
    """Returns what renders the templates: autoescaping, and filters for text that may hold anything."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("loopstall.report.page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["clean"] = lambda value: printable(str(value))
    made.filters["clean_lines"] = lambda value: paragraph(str(value))
    made.filters["place"] = place
    made.filters["counted"] = counted
    made.globals.update(
        format_ns=format_ns, format_value=format_value, text_of=_text_of, any=any, style=_style(), script=_script(),
        stall_script=_own(_STALL_SCRIPTS), source_line=source_line, rule_of=rule_of, had_gil=had_gil,
        blamed=blamed, stacks_id=stacks_id,
    )  # fmt: skip
    return made


def _text_of(*parts: str) -> str:
    """Returns a file of this package."""
    return resources.files("loopstall.report.page").joinpath(*parts).read_text(encoding="utf-8")


def _style() -> str:
    return _text_of("vendor", "uPlot-1.6.32.min.css") + _own(_STYLES)


def _script() -> str:
    return _text_of("vendor", "uPlot-1.6.32.iife.min.js") + "\n" + _own(_SCRIPTS)


def _own(names: Sequence[str]) -> str:
    return "\n".join(_text_of("templates", name) for name in names)


def _other_machines(environments: Sequence[Environment]) -> list[str]:
    found = [differing(environments[0], item) for item in environments[1:]]
    return sorted({text for texts in found for text in texts})


def _comparison(content: Content) -> dict[str, Any] | None:
    """Returns what the comparison shows: a row a cell, with its interval and its pairs on one common axis."""
    if not content.verdicts:
        return None
    pairs = _pairs(content)
    worst = ordered(content.verdicts)
    reach = [
        abs(bound)
        for item in worst
        for finding in item.findings
        if finding.metric == "time_per_job"
        for bound in (finding.change.low, finding.change.high)
        if math.isfinite(bound)
    ]
    half = min(1.0, max(_AXIS, *reach, 0.0) * 1.15) if reach else _AXIS

    def place(value: float) -> float:
        return round(50 + 50 * max(-1.0, min(1.0, value / half)), 2)

    rows = [_compared(item, pairs.get(item.name, []), place) for item in worst]
    return {"rows": rows, "half": half, "zero": place(0.0), "sentence": sentence(content.verdicts)}


def _compared(item: Verdict, pairs: Sequence[float], place: Any) -> dict[str, Any]:
    found: dict[str, Finding] = {finding.metric: finding for finding in item.findings}
    time = found.get("time_per_job")
    return {
        "verdict": item,
        "others": [change(one) for name, one in found.items() if name != "time_per_job"],
        "time": time,
        "said": change(time).removeprefix("time per job ") if time is not None else "",
        "bar": (place(time.change.low), place(time.change.value), place(time.change.high))
        if time is not None
        else None,
        "effect": (place(-time.effect), place(time.effect)) if time is not None else None,
        "dots": [place(value) for value in pairs],
    }


def _pairs(content: Content) -> dict[str, list[float]]:
    """Returns the relative change of each pair of runs, by the name of the cell."""
    base = {(run.cell.key, run.index): run.measured for run in content.baselines if run.measured is not None}
    found: dict[str, list[float]] = {}
    for run in content.runs:
        other = base.get((run.cell.key, run.index))
        if run.measured is None or other is None:
            continue
        both = zip(other.bursts, run.measured.bursts, strict=False)
        ratios = [
            (head.wall_ns * one.jobs) / (one.wall_ns * head.jobs) for one, head in both if one.wall_ns and head.jobs
        ]
        if ratios:
            found.setdefault(f"{run.cell.row} · {run.cell.strategy}", []).append(statistics.median(ratios) - 1)
    return found


def _drawn(trend: Trend) -> dict[str, Any]:
    """Returns a trend as points of a drawing of fixed size, its levels and its changes."""
    metric = METRICS[trend.metric]
    values = [one.value for one in trend.readings]
    low, high = min(one.low for one in trend.readings), max(one.high for one in trend.readings)
    span = (high - low) or abs(high) or 1.0
    width, height = _SPARK
    step = width / max(1, len(values) - 1)

    def y(value: float) -> float:
        return round(8 + (height - 16) * (1 - (value - low) / span), 1)

    bounds = [0, *(item.at for item in trend.changes), len(values)]
    levels = [
        (round(start * step, 1), round(max(start, end - 1) * step, 1), y(statistics.median(values[start:end])))
        for start, end in pairwise(bounds)
    ]
    return {
        "trend": trend,
        "label": metric.label,
        "unit": metric.unit,
        "line": " ".join(f"{index * step:.1f},{y(value)}" for index, value in enumerate(values)),
        "dots": [(round(index * step, 1), y(one.value), one) for index, one in enumerate(trend.readings)],
        "levels": levels,
        "changes": [
            {
                "x": round(item.at * step, 1),
                "reading": trend.readings[item.at],
                "moved": moved(trend, item),
                "before": item.before,
                "after": item.after,
                "worse": (item.after > item.before) == (metric.better == "lower"),
            }
            for item in trend.changes
        ],
        "size": _SPARK,
        "low": low,
        "high": high,
    }
