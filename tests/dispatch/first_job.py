"""Measures a cell as the harness does, and tells what happened while the clock ran that belongs before it.

``python first_job.py CELL`` with the cell's path, name, parameters, loop, dispatch and load in JSON; prints JSON.
"""

import json
import sys
import threading

from loopstall.harness import run
from loopstall.harness.measurement import Measurement
from loopstall.records import Cell, Load, Strategy, WorkloadRef


def main(text: str) -> None:
    """Measures the cell and prints what the last burst, which is the measured one, has imported and started."""
    asked = json.loads(text)
    cell = Cell(
        workload=WorkloadRef(path=asked["path"], name=asked["name"]),
        params=tuple(map(tuple, asked["params"])),
        strategy=Strategy(loop=asked["loop"], dispatch=asked["dispatch"]),
        load=Load(jobs=asked["jobs"], concurrency=asked["concurrency"]),
    )
    told = {}
    burst, start = Measurement.burst, threading.Thread.start

    async def counted(self, *args, **named):
        modules, started = set(sys.modules), []

        def noted(thread):
            started.append(thread.name)
            start(thread)

        threading.Thread.start = noted
        done = await burst(self, *args, **named)
        threading.Thread.start = start
        told["modules"] = sorted(set(sys.modules) - modules)
        told["threads"] = started
        return done

    Measurement.burst = counted
    told["jobs"] = run.measure(cell, seed=1, threshold_ns=5_000_000).jobs
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
