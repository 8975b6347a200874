"""Results as a tidy pandas DataFrame."""

from pathlib import Path
from typing import Any

from loopstall.analysis.metrics import METRICS
from loopstall.errors import InputError
from loopstall.results import store

__all__ = ["load"]


def load(path: str | Path) -> Any:
    """Reads a results folder, or one run's file, as a tidy DataFrame: one row a run and metric.

    Columns: workload, one ``param_<name>`` each, loop, dispatch, load, run, seed, started_at, metric, value,
    unit. A run that failed has no rows.

    Args:
        path: the folder or file.

    Raises:
        InputError: pandas is not installed, or the path is not a loopstall result.
    """
    try:
        import pandas as pd  # an extra, and slow to import
    except ImportError as error:
        raise InputError("loopstall.load needs pandas: pip install 'loopstall[pandas]'") from error
    results = store.load([Path(path)])
    rows = [
        {
            "workload": run.cell.workload.name,
            **{f"param_{name}": value for name, value in run.cell.params},
            "loop": run.cell.strategy.loop,
            "dispatch": run.cell.strategy.dispatch,
            "load": str(run.cell.load),
            "run": run.index,
            "seed": run.seed,
            "started_at": run.started_at,
            "metric": metric.name,
            "value": metric.read(run.measured),
            "unit": metric.unit,
        }
        for run in results.runs
        if run.measured is not None
        for metric in METRICS.values()
    ]
    frame = pd.DataFrame(rows)
    if rows:
        frame["started_at"] = pd.to_datetime(frame["started_at"], format="ISO8601")
    return frame
