"""The HTML page: one file that holds everything and asks the network for nothing."""

from collections.abc import Sequence
from functools import cache
from importlib import resources
import math
from typing import Any

import jinja2

from loopstall import histogram
from loopstall.gate.policy import Budget, samples, summarise
from loopstall.metrics import format_ns, format_value
from loopstall.records import Histogram, Plan, Run, Skipped, Stall, Summary
from loopstall.report.grid import grids
from loopstall.report.text import printable, verdict

__all__ = ["to_html"]

_LISTED = 60  # stalls in the table; the longest ones
_FIGURES = (
    "throughput",
    "lag_p50",
    "lag_p99",
    "longest_stall",
    "availability",
    "cpu_per_job",
    "peak_memory",
    "priming",
)


def to_html(runs: Sequence[Run], *, title: str, plan: Plan | None, budget: Budget, warnings: Sequence[str] = ()) -> str:
    """Renders runs as one self-contained page.

    Args:
        runs: what was measured.
        title: the page's heading.
        plan: what was to be measured, where it is known.
        budget: what makes a cell a trap.
        warnings: what could not be read.
    """
    grouped = samples(runs)
    cells = list(plan.cells) if plan is not None else []
    order = [*[cell for cell in cells if cell in grouped], *[cell for cell in grouped if cell not in cells]]
    summaries = [summarise(cell, grouped[cell], budget) for cell in order]
    skipped = plan.skipped if plan is not None else ()
    worst = {item.cell: _worst_run(grouped[item.cell]) for item in summaries}
    environment = next((run.environment for run in runs if run.environment is not None), None)
    return _template().render(
        title=title,
        verdict=verdict(summaries),
        plan=plan,
        budget=budget,
        complete=plan is None or len(runs) >= len(plan.cells) * plan.processes,
        run_count=len(runs),
        warnings=warnings,
        grids=grids(summaries, skipped),
        cell=_cell,
        failures=[item for item in summaries if item.error is not None],
        stalls=_stalls(summaries, worst),
        skipped=skipped,
        environment=environment,
        loops=sorted({run.environment.loop for run in runs if run.environment is not None}),
        loads=[run.environment.load_1min for run in runs if run.environment and run.environment.load_1min is not None],
        charts=_charts(summaries, grouped, worst),
        style=_vendored("uPlot-1.6.32.min.css"),
        library=_vendored("uPlot-1.6.32.iife.min.js"),
        format_ns=format_ns,
        format_value=format_value,
        printable=printable,
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("loopstall.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clean"] = lambda value: printable(str(value))
    return environment.get_template("page.html.j2")


@cache
def _vendored(name: str) -> str:
    return resources.files("loopstall.report").joinpath("vendor", name).read_text(encoding="utf-8")


def _worst_run(runs: Sequence[Run]) -> Run | None:
    good = [run for run in runs if run.measured is not None]
    return max(good, key=lambda run: run.measured.longest_stall_ns if run.measured else 0, default=None)


def _cell(item: Summary | Skipped) -> dict[str, Any]:
    """Returns what one cell of the heat map shows: figures and a shade, an error, or the reason why it is empty."""
    if isinstance(item, Skipped):
        return {"reason": item.reason}
    error = item.error.kind if item.error is not None else None
    if not item.runs:
        return {"error": error}
    return {
        "figures": {name: item[name] for name in _FIGURES},
        "trap": item.trap,
        "why": item.why,
        "shade": _shade(item["lag_p99"].value),
        "error": error,
    }


def _shade(lag_ns: float) -> int:
    """Returns 0 to 6 for a p99 loop lag of 0.3 ms and less to 300 ms and more, half a decade a step."""
    return max(0, min(6, round(2 * (math.log10(max(lag_ns, 1)) - 5.5))))


def _stalls(summaries: Sequence[Summary], worst: dict[Any, Run | None]) -> dict[str, Any]:
    found: list[tuple[Stall, str]] = []
    total = 0
    for item in summaries:
        run = worst[item.cell]
        if run is None or run.measured is None:
            continue
        total += run.measured.stall_count
        found += [(stall, item.cell.name) for stall in run.measured.stalls]
    found.sort(key=lambda row: -row[0].duration_ns)
    return {"rows": found[:_LISTED], "total": total}


def _charts(
    summaries: Sequence[Summary], grouped: dict[Any, list[Run]], worst: dict[Any, Run | None]
) -> dict[str, Any]:
    """Returns what the charts draw: percentile curves by row and strategy, and the timeline of each cell's worst run.

    Times are in ms, to the µs, for that is as fine as a plot shows.
    """
    rows: dict[str, dict[str, dict[str, list[list[float]]]]] = {}
    timelines: dict[str, dict[str, Any]] = {}
    for item in summaries:
        good = [run.measured for run in grouped[item.cell] if run.measured is not None]
        if not good:
            continue
        curves = rows.setdefault(printable(item.cell.row), {})
        curves[printable(str(item.cell.strategy))] = {
            "response": _curve([measured.response for measured in good]),
            "lag": _curve([measured.lag for measured in good]),
        }
        run = worst[item.cell]
        assert run is not None  # noqa: S101
        assert run.measured is not None  # noqa: S101
        series = run.measured.lag_series
        timelines[printable(item.cell.name)] = {
            "wall": _ms(run.measured.wall_ns),
            "at": [_ms(at) for at in series.at_ns],
            "lag": [_ms(peak) for peak in series.peak_ns],
            "stalls": [
                [
                    _ms(stall.start_ns),
                    _ms(stall.duration_ns),
                    printable(str(stall.culprit or "no culprit seen")),
                ]
                for stall in run.measured.stalls
            ],
        }
    return {"rows": rows, "timelines": timelines}


def _curve(histograms: Sequence[Histogram]) -> list[list[float]]:
    return [[percentile, _ms(value)] for percentile, value in histogram.curve(histograms)]


def _ms(value_ns: float) -> float:
    return round(value_ns / 1e6, 3)
