"""Results as a pyperf suite: one benchmark a cell, one pyperf run a run, the value being seconds per job."""

from pathlib import Path
import tempfile

from loopstall.analysis.content import Digest
from loopstall.errors import InputError
from loopstall.report.escape import json_text, printable

__all__ = ["to_pyperf"]


def to_pyperf(made: Digest) -> str:
    """Returns JSON that ``python -m pyperf compare_to`` and ``stats`` read.

    Raises:
        InputError: pyperf is not installed, or no run went well.
    """
    try:
        import pyperf  # an extra
    except ImportError as error:
        raise InputError("this format needs pyperf: pip install 'loopstall[pyperf]'") from error
    benchmarks = []
    names: set[str] = set()
    for cell, sample in made.samples.items():
        figures = [(run, run.measured) for run in sample if run.measured is not None]
        if not figures:
            continue
        name = _unused(printable(cell.name), names)
        names.add(name)
        metadata = {"name": name, "unit": "second", "loops": 1, "loopstall_strategy": printable(str(cell.strategy))}
        benchmarks.append(
            pyperf.Benchmark(
                [
                    pyperf.Run(
                        [measured.time_per_job_ns / 1e9],
                        metadata={
                            **metadata,
                            "date": printable(run.started_at),
                            "mem_max_rss": measured.peak_memory_bytes,
                            "loopstall_longest_stall_ms": measured.longest_stall_ns / 1e6,
                            "loopstall_availability": measured.availability,
                        },
                        collect_metadata=False,
                    )
                    for run, measured in figures
                ]
            )
        )
    if not benchmarks:
        raise InputError("no run was successful, so there is nothing to write for pyperf")
    suite = pyperf.BenchmarkSuite(benchmarks)
    return _dump(suite)


def _unused(name: str, names: set[str]) -> str:
    """Returns the name, with a number where another cell is called so: pyperf compares benchmarks by their names."""
    number, free = 2, name
    while free in names:
        free, number = f"{name} ({number})", number + 1
    return free


def _dump(suite: object) -> str:
    with tempfile.TemporaryDirectory(prefix="loopstall-") as folder:  # pyperf writes to files by name alone
        path = Path(folder) / "suite.json"
        suite.dump(str(path))  # type: ignore[attr-defined]
        return json_text(path.read_text(encoding="utf-8"))
