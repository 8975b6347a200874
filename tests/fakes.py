"""Measuring processes that play recorded outcomes, so that what starts them is tested in milliseconds."""

from contextlib import nullcontext
from dataclasses import replace

from helpers import measured

from loopstall.records import Burst, RunError
from loopstall.runner.protocol import Outcome

MS = 1_000_000


def well(figures=None):
    return Outcome(loop="asyncio of a test", load_1min=0.0, measured=figures or measured())


def badly(kind="raised", message="a job raised ValueError: no"):
    return Outcome(loop="", load_1min=None, error=RunError(kind=kind, message=message))


class FakeProcess:
    """Plays one outcome.

    Args:
        executor: that started it, and notes what is asked.
        side: whose code it stands for.
    """

    def __init__(self, executor, side):
        self._executor = executor
        self.side = side.name if side is not None else ""
        self.request = None
        self.closed = False
        self._bursts = []

    def run(self, request, *, limit_s, load_ended):
        self.request = request
        load_ended()
        return self._executor.play(self)

    def begin(self, request, *, limit_s):
        self.request = request
        return True

    def turn(self, jobs, *, limit_s):
        if self._executor.play(self).error is not None:
            return None
        ns = int(abs(jobs) * self._executor.ms_a_job(self) * MS)
        burst = Burst(jobs=abs(jobs), wall_ns=ns, cpu_ns=ns)
        if jobs > 0:
            self._bursts.append(burst)
        return burst

    def end(self, *, limit_s):
        outcome = self._executor.play(self)
        if outcome.measured is None:
            return outcome
        return replace(outcome, measured=replace(outcome.measured, bursts=tuple(self._bursts)))

    def close(self):
        self.closed = True


class FakeExecutor(nullcontext):
    """Starts fake processes.

    Args:
        play: the outcome of a process, which knows its ``side`` and ``request``.
        ms_a_job: how long a job of a process takes.
        refuse: an exception that starting a process raises, None for none.
    """

    def __init__(self, play=lambda process: well(), ms_a_job=lambda process: 1.0, refuse=None):
        super().__init__(self)
        self.play = play
        self.ms_a_job = ms_a_job
        self.started = []
        self._refuse = refuse

    def start(self, side=None):
        if self._refuse is not None:
            raise self._refuse
        self.started.append(FakeProcess(self, side))
        return self.started[-1]
