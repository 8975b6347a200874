"""The measuring process, as the runner sees it."""

from functools import partial
import shutil

import pytest

from loopstall.errors import MeasurementError
from loopstall.records import Cell, Load, Strategy, WorkloadRef
from loopstall.runner.launcher import Launcher
from loopstall.runner.protocol import Request

REQUEST = Request(
    cell=Cell(
        workload=WorkloadRef(path="mine.py", name="work"),
        strategy=Strategy(loop="asyncio", dispatch="inline"),
        load=Load(jobs=1),
    ),
    seed=1,
    threshold_ns=5_000_000,
    memory_limit_bytes=0,
)


@pytest.mark.parametrize("way", ["run", "begin"])
def test_request_that_cannot_be_written_is_told_in_a_sentence(way):
    with Launcher() as launcher:
        process = launcher.start()
        try:
            shutil.rmtree(process._folder)
            send = partial(process.run, load_ended=lambda: None) if way == "run" else process.begin
            with pytest.raises(
                MeasurementError, match=r"cannot write a request for a measuring process: .*; make room"
            ):
                send(REQUEST, limit_s=5.0)
        finally:
            process.close()
