"""The history of a project's results: one SQLite file, one value a metric, cell and result."""

from collections.abc import Iterable, Iterator, Sequence
import contextlib
from dataclasses import dataclass
from pathlib import Path
import sqlite3
from typing import Self

from loopstall.analysis.metrics import METRICS
from loopstall.analysis.summary import samples
from loopstall.errors import InputError, MeasurementError
from loopstall.records import Environment, Reading, Run, Trend
from loopstall.records.cells import strategy_shown
from loopstall.stats.changes import change_points
from loopstall.stats.median import median_estimate

__all__ = ["History", "Result", "machine_of", "trends"]

_APPLICATION = 0x6C6F6F70  # "loop", in the file's header
_VERSION = 1
_PATIENCE_S = 30.0  # another process may be adding its own result
_SCHEMA = """
CREATE TABLE result (
    id INTEGER PRIMARY KEY, measured_at TEXT NOT NULL, commit_id TEXT NOT NULL, committed_at TEXT NOT NULL,
    machine TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (measured_at, commit_id, machine, name));
CREATE TABLE reading (
    result INTEGER NOT NULL REFERENCES result ON DELETE CASCADE, cell TEXT NOT NULL, strategy TEXT NOT NULL,
    load TEXT NOT NULL, metric TEXT NOT NULL, value REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL,
    runs INTEGER NOT NULL, PRIMARY KEY (result, cell, strategy, load, metric)) WITHOUT ROWID;
"""
_READ = """
SELECT cell, strategy, load, metric, value, low, high, runs, measured_at, commit_id, committed_at, machine
FROM reading JOIN result ON result.id = reading.result
ORDER BY CASE committed_at WHEN '' THEN measured_at ELSE committed_at END, measured_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A result as a history keeps it: times in ISO 8601, UTC; unknown values are empty."""

    name: str
    measured_at: str
    commit: str
    committed_at: str
    machine: str


def machine_of(environment: Environment | None) -> str:
    """Names what values have to share to be held against each other."""
    if environment is None:
        return "an unknown machine"
    python = ".".join(environment.python.split(".")[:2])
    return f"{environment.cpu}, {environment.cores} cores, {environment.implementation} {python}"


class History:
    """A history file; a context manager.

    Args:
        path: the file.
        create: whether to make it where there is none.

    Raises:
        InputError: there is no such file, it is not a history, or a newer loopstall wrote it.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.is_file():
            raise InputError(f"there is no history in {path}; begin one with loopstall history add RESULT")
        self._path = path
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)
        try:
            with self._explained():
                self._base.execute("PRAGMA foreign_keys = ON")
                self._prepare()
        except BaseException:
            self._base.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def add(self, result: Result, runs: Sequence[Run]) -> tuple[int, bool]:
        """Adds a result, whole or not at all; one that is there already is replaced.

        Args:
            result: the result as a whole.
            runs: its runs.

        Returns:
            How many cells it has, and whether it was there.

        Raises:
            InputError: no run went well.
            MeasurementError: the file cannot be written.
        """
        readings = list(_readings(runs))
        if not readings:
            raise InputError(f"{result.name} holds no successful run, so there is nothing to add")
        identity = (result.measured_at, result.commit, result.machine, result.name)
        try:
            with self._transaction():
                gone = self._base.execute(
                    "DELETE FROM result WHERE (measured_at, commit_id, machine, name) = (?, ?, ?, ?)", identity
                )
                added = self._base.execute(
                    "INSERT INTO result (measured_at, commit_id, machine, name, committed_at) VALUES (?, ?, ?, ?, ?)",
                    (*identity, result.committed_at),
                )
                self._base.executemany(
                    "INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [(added.lastrowid, *reading) for reading in readings],
                )
        except sqlite3.Error as error:
            raise MeasurementError(f"cannot write the history {self._path}: {error}; it is as it was") from error
        return len({reading[:3] for reading in readings}), bool(gone.rowcount)

    def readings(self) -> list[Reading]:
        """Returns every value, in the order of the commits."""
        with self._explained():
            rows = self._base.execute(_READ).fetchall()
        return [
            Reading(row=row[0], strategy=strategy_shown(row[1]), load=row[2], metric=row[3], value=row[4], low=row[5],
                    high=row[6], runs=row[7], measured_at=row[8], commit=row[9], committed_at=row[10], machine=row[11])
            for row in rows
        ]  # fmt: skip

    def _prepare(self) -> None:
        (application,) = self._base.execute("PRAGMA application_id").fetchone()
        (version,) = self._base.execute("PRAGMA user_version").fetchone()
        (tables,) = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables:
            with self._transaction():
                for statement in _SCHEMA.split(";")[:-1]:
                    self._base.execute(statement.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))
                self._base.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._base.execute(f"PRAGMA user_version = {_VERSION}")
        elif application != _APPLICATION:
            raise InputError(f"{self._path} is a database of another program; choose another file with --file")
        elif version > _VERSION:
            raise InputError(f"{self._path} was written by a newer loopstall (version {version}); upgrade loopstall")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise InputError(
                f"cannot use the history {self._path}: {error}; choose another file with --file"
            ) from error


def _readings(runs: Sequence[Run]) -> Iterator[tuple[str, str, str, str, float, float, float, int]]:
    for cell, sample in samples(runs).items():
        good = [run.measured for run in sample if run.measured is not None]
        for name, metric in METRICS.items() if good else ():
            found = median_estimate([metric.read(measured) for measured in good])
            yield (*cell.key, name, found.value, found.low, found.high, found.runs)


def trends(readings: Iterable[Reading], *, metric: str, last: int | None = None) -> list[Trend]:
    """Gathers the values of one metric into a series a cell and machine, with its change points.

    Args:
        readings: in the order of the commits.
        metric: which.
        last: only so many values of each series.
    """
    gathered: dict[tuple[str, ...], list[Reading]] = {}
    for item in readings:
        if item.metric == metric:
            gathered.setdefault((item.row, item.strategy, item.load, item.machine), []).append(item)
    found: list[Trend] = []
    for (row, strategy, load, machine), series in gathered.items():
        kept = tuple(series[-last:] if last else series)
        found.append(
            Trend(
                row=row,
                strategy=strategy,
                load=load,
                machine=machine,
                metric=metric,
                readings=kept,
                changes=change_points([item.value for item in kept]),
            )
        )
    return found
