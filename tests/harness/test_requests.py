"""Which of its measurements the harness makes of a request."""

from loopstall.harness import run
from loopstall.records import Cell, Load, Strategy, WorkloadRef
from loopstall.runner.protocol import Request


def request(*, heavy=None, probe=False):
    cell = Cell(
        workload=WorkloadRef(path="mine.py", name="work"),
        strategy=Strategy(loop="asyncio", dispatch="inline"),
        load=Load(jobs=1, rate=10.0, heavy=heavy),
    )
    return Request(cell=cell, seed=1, threshold_ns=1, memory_limit_bytes=1, probe=probe)


def test_every_request_has_a_measurement_and_every_measurement_a_request():
    kinds = {run._kind(request(heavy=heavy, probe=probe)) for heavy in (None, 0.1) for probe in (False, True)}
    assert kinds == set(run._MEASURES)
    assert run._kind(request(probe=True)) == "function"
    assert run._kind(request(heavy=0.1)) == "server"
    assert run._kind(request()) == "loop"
