"""The figures of a run: name, unit, and which way is better."""

from collections.abc import Callable
from dataclasses import dataclass

from loopstall.records import Measured

__all__ = ["METRICS", "Metric"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure of a run; ``better`` is "higher", "lower" or, where neither is, ""."""

    name: str
    label: str
    unit: str
    better: str
    read: Callable[[Measured], float]


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="throughput", label="throughput", unit="1/s", better="higher", read=lambda m: m.throughput),
        Metric(
            name="time_per_job",
            label="time per job",
            unit="ns",
            better="lower",
            read=lambda m: m.time_per_job_ns,
        ),
        Metric(
            name="cpu_per_job",
            label="CPU per job",
            unit="ns",
            better="lower",
            read=lambda m: m.cpu_per_job_ns,
        ),
        Metric(
            name="service_p50",
            label="service time p50",
            unit="ns",
            better="lower",
            read=lambda m: m.service.p50_ns,
        ),
        Metric(
            name="service_p99",
            label="service time p99",
            unit="ns",
            better="lower",
            read=lambda m: m.service.p99_ns,
        ),
        Metric(
            name="response_p50",
            label="response time p50",
            unit="ns",
            better="lower",
            read=lambda m: m.response.p50_ns,
        ),
        Metric(
            name="response_p99",
            label="response time p99",
            unit="ns",
            better="lower",
            read=lambda m: m.response.p99_ns,
        ),
        Metric(name="lag_p50", label="loop lag p50", unit="ns", better="lower", read=lambda m: m.lag.p50_ns),
        Metric(name="lag_p99", label="loop lag p99", unit="ns", better="lower", read=lambda m: m.lag.p99_ns),
        Metric(
            name="longest_stall",
            label="longest stall",
            unit="ns",
            better="lower",
            read=lambda m: m.longest_stall_ns,
        ),
        Metric(name="stalled", label="time in stalls", unit="ns", better="lower", read=lambda m: m.stalled_ns),
        Metric(name="stalls", label="stalls", unit="1", better="lower", read=lambda m: m.stall_count),
        Metric(name="errors", label="failed requests", unit="1", better="lower", read=lambda m: m.errors),
        Metric(
            name="availability",
            label="loop availability",
            unit="share",
            better="higher",
            read=lambda m: m.availability,
        ),
        Metric(
            name="peak_memory",
            label="peak memory",
            unit="bytes",
            better="lower",
            read=lambda m: m.peak_memory_bytes,
        ),
        Metric(name="setup", label="set-up time", unit="ns", better="", read=lambda m: m.setup_ns),
        Metric(name="priming", label="priming time", unit="ns", better="", read=lambda m: m.priming_ns),
        Metric(
            name="switches_voluntary",
            label="voluntary context switches",
            unit="1",
            better="",
            read=lambda m: m.switches_voluntary,
        ),
        Metric(
            name="switches_involuntary",
            label="involuntary context switches",
            unit="1",
            better="",
            read=lambda m: m.switches_involuntary,
        ),
    )
}
