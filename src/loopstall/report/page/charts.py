"""The data of the page's charts: times in ms, to the µs, which is as fine as a plot shows."""

from collections.abc import Mapping, Sequence
import statistics
from typing import Any

from loopstall.records import Cell, Course, Histogram, Measured, Run, Stall, Summary
from loopstall.records.frames import shortened
from loopstall.records.units import format_ns
from loopstall.report.text import left_out, place, printable
from loopstall.stats import histogram

__all__ = ["CURVES", "chart_data", "worst_run"]

CURVES: dict[str, str] = {
    "lag": "loop lag, corrected for coordinated omission",
    "raw": "loop lag, uncorrected",
    "response": "response time, from when a job was due",
    "service": "service time, from when it started (uncorrected)",
}
_BANDS = 150  # stalls of a timeline that are drawn and told, the longest ones
_STACK = 12  # frames told of a stall
_OF_A_SERVER = "CPU and memory of a server's processes are not read while they are measured."
_NOT_RECORDED = "This result was measured by a loopstall that did not record CPU and memory over time."


def worst_run(runs: Sequence[Run]) -> Measured | None:
    """Returns the run with the longest stall, None where all failed."""
    good = [run.measured for run in runs if run.measured is not None]
    return max(good, key=lambda measured: measured.longest_stall_ns, default=None)


def chart_data(
    summaries: Sequence[Summary],
    samples: Mapping[Cell, Sequence[Run]],
    baselines: Mapping[tuple[str, str, str], Measured],
) -> dict[str, Any]:
    """Returns percentile curves by row and strategy, and the timeline of each cell's worst run.

    Args:
        summaries: of a matrix.
        samples: the runs of each cell.
        baselines: the worst run of the other side, by the cell's key.
    """
    rows: dict[str, dict[str, Any]] = {}
    timelines: dict[str, Any] = {}
    stacks: dict[str, int] = {}
    for number, item in enumerate(summaries):
        good = [run.measured for run in samples[item.cell] if run.measured is not None]
        worst = worst_run(samples[item.cell])
        if worst is None:
            continue
        rows.setdefault(printable(item.cell.row), {})[printable(str(item.cell.strategy))] = {
            "lag": _curve([measured.lag for measured in good]),
            "raw": _curve([measured.lag_uncorrected for measured in good]),
            "response": _curve([measured.response for measured in good]),
            "service": _curve([measured.service for measured in good]),
        }
        timelines[str(number)] = _timeline(item.cell, worst, baselines.get(item.cell.key), stacks)
    return {"rows": rows, "timelines": timelines, "stacks": list(stacks), "curves": CURVES}


def _timeline(cell: Cell, worst: Measured, other: Measured | None, stacks: dict[str, int]) -> dict[str, Any]:
    """Returns a run over its time: loop lag and stalls, and what else was recorded on the same axis."""
    timeline: dict[str, Any] = {
        "name": printable(f"{cell.row} · {cell.strategy}"),
        "wall": _ms(worst.wall_ns),
        "began": worst.began_at,
        "at": [_ms(at) for at in worst.lag_series.at_ns],
        "lag": [_ms(peak) for peak in worst.lag_series.peak_ns],
        "stalls": _stalls(worst.stalls, stacks),
        "count": worst.stall_count,
        "values": [["loop lag", *map(format_ns, (worst.lag.p50_ns, worst.lag.p99_ns, worst.lag.max_ns))]],
        "left_out": "" if worst.cpu.at_ns else _OF_A_SERVER if worst.light else _NOT_RECORDED,
    }
    if other is not None:
        timeline["base"] = {
            "at": [_ms(at) for at in other.lag_series.at_ns],
            "lag": [_ms(peak) for peak in other.lag_series.peak_ns],
        }
    flight = worst.in_flight if cell.load.rate is not None else Course()  # else it is the number of clients
    for name, label, course, factor, unit in (
        ("flight", "in flight", flight, 1.0, ""),
        ("cpu", "CPU", worst.cpu, 100.0, " %"),
        ("memory", "memory", worst.memory, 1e-6, " MB"),
    ):
        if course.at_ns:
            values = [round(value * factor, 1) for value in course.values]
            timeline[name] = [[_ms(at) for at in course.at_ns], values]
            timeline["values"].append([label, *(f"{value:.3g}{unit}" for value in _summed_up(values))])
    return timeline


def _summed_up(values: Sequence[float]) -> tuple[float, float, float]:
    """Returns median, 99th percentile and maximum."""
    ordered = sorted(values)
    return statistics.median(ordered), ordered[round(0.99 * (len(ordered) - 1))], ordered[-1]


def _stalls(stalls: Sequence[Stall], stacks: dict[str, int]) -> list[list[Any]]:
    """Returns [start, length, cause, index of the stack] of the longest stalls, in the order of time."""
    longest = sorted(sorted(stalls, key=lambda stall: -stall.duration_ns)[:_BANDS], key=lambda stall: stall.start_ns)
    return [
        [
            _ms(stall.start_ns),
            _ms(stall.duration_ns),
            printable(stall.cause),
            stacks.setdefault(_told(stall), len(stacks)),
        ]
        for stall in longest
    ]


def _told(stall: Stall) -> str:
    """Describes the place of a stall: the culprit, the holder of the GIL, and the stack."""
    lines = [place(stall.culprit) if stall.culprit is not None else f"no culprit was seen: {printable(stall.rule)}"]
    if stall.label:
        lines.append(f"during {printable(stall.label)}")
    if stall.holder is not None:
        lines.append(f"GIL held by thread {stall.holder_thread} at {place(stall.holder)}")
    if stall.task:
        lines.append(f"task {stall.task}")
    shown = shortened(stall.stack, _STACK)
    lines += [f"  {left_out(frame) if isinstance(frame, int) else place(frame)}" for frame in shown]
    return "\n".join(map(printable, lines))


def _curve(histograms: Sequence[Histogram]) -> list[list[float]]:
    return [[percentile, _ms(value)] for percentile, value in histogram.curve(histograms)]


def _ms(value_ns: float) -> float:
    return round(value_ns / 1e6, 3)
