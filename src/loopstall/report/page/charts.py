"""The data of the page's charts: times in ms, to the µs, which is as fine as a plot shows."""

from collections.abc import Mapping, Sequence
from typing import Any

from loopstall.records import Cell, Histogram, Measured, Run, Stall, Summary
from loopstall.records.units import counted
from loopstall.report.text import place, printable
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
        timeline = {
            "name": printable(f"{item.cell.row} · {item.cell.strategy}"),
            "wall": _ms(worst.wall_ns),
            "at": [_ms(at) for at in worst.lag_series.at_ns],
            "lag": [_ms(peak) for peak in worst.lag_series.peak_ns],
            "stalls": _stalls(worst.stalls, stacks),
            "count": worst.stall_count,
        }
        other = baselines.get(item.cell.key)
        if other is not None:
            timeline["base"] = {
                "at": [_ms(at) for at in other.lag_series.at_ns],
                "lag": [_ms(peak) for peak in other.lag_series.peak_ns],
            }
        timelines[str(number)] = timeline
    return {"rows": rows, "timelines": timelines, "stacks": list(stacks), "curves": CURVES}


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
    lines += [f"  {place(frame)}" for frame in stall.stack[:_STACK]]
    if len(stall.stack) > _STACK:
        lines.append(f"  and {counted(len(stall.stack) - _STACK, 'more frame')}")
    return "\n".join(map(printable, lines))


def _curve(histograms: Sequence[Histogram]) -> list[list[float]]:
    return [[percentile, _ms(value)] for percentile, value in histogram.curve(histograms)]


def _ms(value_ns: float) -> float:
    return round(value_ns / 1e6, 3)
