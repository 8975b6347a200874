"""Results of other tools as a side of a comparison: pyperf's JSON, and pytest-benchmark's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
import math
from pathlib import Path
import statistics
from typing import Any

import msgspec

from loopstall.analysis.compare import Figures
from loopstall.errors import InputError

__all__ = ["read"]

_UNITS = {"second": ("time_per_job", 1e9), "byte": ("peak_memory", 1.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _PyperfRun:
    values: list[float] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _PyperfBenchmark:
    runs: list[_PyperfRun]
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RoundStats:
    median: float
    data: list[float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _RoundBenchmark:
    stats: _RoundStats
    fullname: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """The differences between the two formats."""

    benchmarks: list[msgspec.Raw]
    machine_info: Any = None
    metadata: dict[str, Any] = field(default_factory=dict)


def read(path: Path) -> list[Figures] | None:
    """Reads a file of pyperf or pytest-benchmark, or a folder of such files, each of one process.

    A figure is the median of a process' values: values of one process are not independent of each other, so that a
    file of pytest-benchmark, which knows one process, is one figure.

    Returns:
        One entry a benchmark; None where the path is neither format's.

    Raises:
        InputError: a value is not a positive number, a name is there twice, or a unit cannot be compared.
    """
    files = sorted(path.glob("**/*.json")) if path.is_dir() else [path]
    gathered: dict[str, dict[str, list[float]]] = {}
    for file in files:
        found = _read_file(file)
        if found is None:
            return None
        for name, metric, values in found:
            gathered.setdefault(name, {}).setdefault(metric, []).extend(values)
    if not gathered:
        return None
    return [Figures(row=name, strategy="", key=(name,), values=values) for name, values in gathered.items()]


def _read_file(file: Path) -> list[tuple[str, str, list[float]]] | None:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}") from error
    if not content.strip():
        return None
    try:
        shape = msgspec.json.decode(content, type=_Shape)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{file} is not whole JSON: {error}; write it again") from error
    try:
        rows = list(_rounds(shape) if shape.machine_info is not None else _pyperf(shape))
    except msgspec.MsgspecError as error:
        raise InputError(f"{file} is no result of pyperf or pytest-benchmark that can be read: {error}") from error
    names = [name for name, _, _ in rows]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{file} has two benchmarks of the name {name!r}; give them names of their own")
    return [(name, *_figures(file, name, unit, processes)) for name, unit, processes in rows]


def _pyperf(shape: _Shape) -> Iterable[tuple[str, str, list[Sequence[float]]]]:
    for raw in shape.benchmarks:
        item = msgspec.json.decode(raw, type=_PyperfBenchmark)
        known: Mapping[str, Any] = shape.metadata | item.metadata
        for run in item.runs:
            known = run.metadata | dict(known)
        processes = [run.values for run in item.runs if run.values]
        yield str(known.get("name", "benchmark")), str(known.get("unit", "second")), list(processes)


def _rounds(shape: _Shape) -> Iterable[tuple[str, str, list[Sequence[float]]]]:
    for raw in shape.benchmarks:
        item = msgspec.json.decode(raw, type=_RoundBenchmark)
        yield item.fullname, "second", [item.stats.data or [item.stats.median]]


def _figures(file: Path, name: str, unit: str, processes: Sequence[Sequence[float]]) -> tuple[str, list[float]]:
    if unit not in _UNITS:
        raise InputError(f"{file}: {name!r} is in {unit!r}, and {' and '.join(_UNITS)} are what can be compared")
    for values in processes:
        wrong = next((value for value in values if not (math.isfinite(value) and value > 0)), None)
        if wrong is not None:
            raise InputError(f"{file}: {name!r} has the value {wrong!r}, which is no measurement; measure it again")
    metric, factor = _UNITS[unit]
    return metric, [statistics.median(values) * factor for values in processes]
