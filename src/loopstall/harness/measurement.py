"""The figures of a run, taken over one burst of jobs or over several with pauses between."""

from collections.abc import Callable
import time
from typing import Any

from loopstall.dispatch import Call
from loopstall.harness.gauge import Gauge
from loopstall.harness.load import JobLog, WrongResultError, drive
from loopstall.loops import LoopAdapter
from loopstall.monitor import LagMeter, Monitor, StallLog
from loopstall.records import DESCHEDULED, Burst, Load, Measured, Noise
from loopstall.records.clock import Clock, now_ns
from loopstall.runner import noise
from loopstall.runner.usage import Usage, usage_now
from loopstall.stats import histogram
from loopstall.workloads.definition import Workload

__all__ = ["Measurement"]

_STALLS = 100  # kept in full
_SHOWN = 100  # characters of a wrong result


class Measurement:
    """Measures bursts on the running loop; nothing runs between them.

    Args:
        workload: the workload of the jobs.
        kwargs: the keyword arguments of every job.
        threshold_ns: the lag from which there is a stall.
        adapter: of the running loop.
        clock: monotonic time in ns.
    """

    def __init__(
        self,
        workload: Workload,
        kwargs: dict[str, Any],
        *,
        threshold_ns: int,
        adapter: LoopAdapter,
        clock: Clock = now_ns,
    ) -> None:
        self._clock = clock
        self._adapter = adapter
        self._threshold_ns = threshold_ns
        self._stall_log = StallLog(_STALLS)
        self._meter = LagMeter(clock=clock, later=adapter.later, readable=adapter.readable)
        self._log = JobLog(_checker(workload, kwargs))
        self._gauge = Gauge()
        self._began = (0, 0.0)  # by the clock, and in s since 1970
        self._bursts: list[Burst] = []
        self._used: list[tuple[Usage, Usage]] = []
        self._noises: list[Noise | None] = []
        self._faults: dict[str, None] = {}

    @property
    def jobs(self) -> int:
        """The number of jobs that are done."""
        return sum(burst.jobs for burst in self._bursts)

    async def burst(self, call: Call, load: Load, *, seed: int) -> Burst:
        """Puts a load on the loop and measures it from its first job to the end of its last."""
        done = self._log.jobs
        monitor = Monitor(threshold_ns=self._threshold_ns, clock=self._clock, stall_log=self._stall_log)
        before, quiet = usage_now(), noise.read()
        started_ns = self._clock()
        self._began = self._began if self._bursts else (started_ns, time.time())
        self._log.begin(started_ns)
        monitor.start(self._adapter.watched)
        self._gauge.read(started_ns)
        self._meter.start(self._passing(monitor.expect))
        await drive(call, load, self._log, seed=seed, started_ns=started_ns, adapter=self._adapter, clock=self._clock)
        wall_ns = self._clock() - started_ns
        self._gauge.read(started_ns + wall_ns)
        self._meter.stop()
        monitor.stop()
        after = usage_now()
        self._noises.append(noise.between(quiet, noise.read()))
        self._used.append((before, after))
        self._faults.update(dict.fromkeys(monitor.faults))
        burst = Burst(jobs=self._log.jobs - done, wall_ns=wall_ns, cpu_ns=after.cpu_ns - before.cpu_ns)
        self._bursts.append(burst)
        return burst

    def _passing(self, expect: Callable[[int], object]) -> Callable[[int], None]:
        """Returns what is told of each beat of the heart: the monitor, and then the gauge."""
        pass_by, interval_ns = self._gauge.pass_by, self._meter.interval_ns

        def told(due_ns: int) -> None:
            expect(due_ns)
            pass_by(due_ns - interval_ns)

        return told

    def figures(self, *, setup_ns: int, priming_ns: int, by_turns: bool) -> Measured:
        """Sums the bursts up.

        Args:
            setup_ns: the time to enter the workload's context.
            priming_ns: the time to open the dispatch.
            by_turns: whether the bursts were asked for one by one, so that each has its neighbour on the other side.

        Raises:
            WrongResultError: a job's result is not what the workload accepts.
        """
        log, meter, stall_log = self._log, self._meter, self._stall_log
        log.settle()
        wall_ns = sum(burst.wall_ns for burst in self._bursts)
        cpu, memory = self._gauge.courses(self._began[0])

        def used(read: Callable[[Usage], int]) -> int:
            return sum(read(after) - read(before) for before, after in self._used)

        return Measured(
            jobs=self.jobs,
            wall_ns=wall_ns,
            service=histogram.from_counts(log.service.counts()),
            response=histogram.from_counts(log.response.counts()),
            lag=histogram.from_counts(meter.lags.counts(), expected_interval_ns=meter.interval_ns),
            lag_uncorrected=histogram.from_counts(meter.lags.counts()),
            response_series=log.peaks.series(),
            lag_series=meter.peaks.series(),
            stalls=tuple(stall_log),
            stall_count=stall_log.count,
            stalled_ns=min(stall_log.total_ns, wall_ns),
            threshold_ns=self._threshold_ns,
            interval_ns=meter.interval_ns,
            setup_ns=setup_ns,
            priming_ns=priming_ns,
            cpu_user_ns=used(lambda usage: usage.cpu_user_ns),
            cpu_system_ns=used(lambda usage: usage.cpu_system_ns),
            children_cpu_ns=used(lambda usage: usage.children_cpu_ns),
            peak_memory_bytes=self._used[-1][1].peak_memory_bytes,
            switches_voluntary=used(lambda usage: usage.switches_voluntary),
            switches_involuntary=used(lambda usage: usage.switches_involuntary),
            faults=(*self._faults, *meter.faults),
            descheduled_ns=min(stall_log.ns_by_cause[DESCHEDULED], wall_ns),
            bursts=tuple(self._bursts) if by_turns else (),
            noise=noise.total(*self._noises),
            began_at=self._began[1],
            cpu=cpu,
            memory=memory,
            in_flight=log.flow.course(),
        )


def _checker(workload: Workload, kwargs: dict[str, Any]) -> Callable[[int, Any], None]:
    verify = workload.checker
    assert verify is not None, "the loader refuses workloads without a verify"

    def check(seed: int, result: Any) -> None:
        if not verify(result, seed, **kwargs):
            shown = repr(result)
            shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
            raise WrongResultError(f"the job of seed {seed} returned {shown}, which verify does not accept")

    return check
