"""Figures of a running service, read by the real prometheus_client and OpenTelemetry."""

import asyncio
import threading
import time

import pytest

from loopstall.metrics import BUCKETS, LoopMetrics
from loopstall.monitor.pool import MonitorPool
from loopstall.monitor.series import Tally
from loopstall.monitor.stall_log import StallLog
from loopstall.records import Stall

LONG = 0.1


def blocked():
    async def main():
        time.sleep(LONG)
        await asyncio.sleep(0)

    asyncio.run(main())


@pytest.fixture
def metrics():
    made = LoopMetrics(threshold=LONG / 2).start()
    yield made
    made.stop()


def test_figures_of_ended_and_running_loops_add_up(metrics):
    blocked()
    first = metrics.figures()
    assert first.stalls["blocking-call"] == 1
    assert first.stalled_s["blocking-call"] >= LONG
    assert first.lag_max_s >= 0.99 * LONG
    assert first.watched_s >= first.kept_s >= 0.99 * LONG
    assert first.availability < 1
    blocked()
    second = metrics.figures()
    assert second.stalls["blocking-call"] == 2
    assert second.kept_s > first.kept_s
    assert second.loops == 0


def test_loop_that_runs_already_is_watched_once():
    async def main():
        made = LoopMetrics(threshold=LONG / 2).start()
        await asyncio.sleep(0)
        time.sleep(LONG)
        await asyncio.sleep(0)
        figures = made.figures()
        made.stop()
        return figures

    figures = asyncio.run(main())
    assert figures.loops == 1
    assert figures.stalls == {"blocking-call": 1}


class Watched:
    """A monitor that has counted what the test says."""

    def __init__(self):
        self.wall_ns, self.is_attached, self.spans, self.stall_log = 0, True, Tally(), StallLog(1)


def test_last_minute_forgets_what_was_before(monkeypatch):
    now, monitor = [0], Watched()
    monkeypatch.setattr(MonitorPool, "monitors", (monitor,))
    made = LoopMetrics(clock=lambda: now[0])
    monitor.wall_ns = 10**9
    for _ in range(4):
        monitor.spans.add(51 * 2**20)
    made.figures()
    assert made.figures().lag_max_s == 0.0  # nothing has come since it was first asked
    now[0] = 30 * 10**9
    monitor.wall_ns += 10**9
    monitor.spans.add(100 * 2**20)
    assert made.figures().lag_max_s == 100 * 2**20 / 1e9
    assert made.figures().availability == pytest.approx(1 - 0.1 * 2**20 / 1e6)
    now[0] = 95 * 10**9
    monitor.wall_ns += 10**9
    figures = made.figures()
    assert figures.lag_max_s == 0.0
    assert figures.availability == 1.0
    assert figures.spans == {51 * 2**20: 4, 100 * 2**20: 1}


def test_many_who_ask_cost_no_memory():
    made = LoopMetrics()
    for _ in range(2000):
        made.figures()
    assert len(made._past) <= 250


def test_prometheus_reads_it(metrics):
    prometheus = pytest.importorskip("prometheus_client")
    registry = prometheus.CollectorRegistry()
    metrics.to_prometheus(registry)
    blocked()
    text = prometheus.generate_latest(registry).decode()
    assert 'loopstall_stalls_total{cause="blocking-call"} 1.0' in text
    assert registry.get_sample_value("loopstall_loop_lag_seconds_bucket", {"le": "0.05"}) is not None
    assert registry.get_sample_value("loopstall_loop_lag_seconds_count") >= 1
    assert registry.get_sample_value("loopstall_loop_kept_seconds_total") >= 0.99 * LONG
    assert 0 <= registry.get_sample_value("loopstall_loop_availability") < 1
    counts = [registry.get_sample_value("loopstall_loop_lag_seconds_bucket", {"le": str(bound)}) for bound in BUCKETS]
    assert counts == sorted(counts)


def test_routes_are_counted_up_to_a_bound_and_without_what_is_not_theirs():
    made = LoopMetrics()
    for cause, label in (("blocking-call", "GET /a"), ("gil-wait", "GET /b"), ("descheduled", "GET /c"), ("gc", "")):
        made._count(Stall(start_ns=0, duration_ns=10**9, cause=cause, label=label))
    assert made.figures().stalled_s_by_route == {"GET /a": 1.0}
    for number in range(200):
        made._count(Stall(start_ns=0, duration_ns=10**9, label=f"GET /{number}"))
    figures = made.figures()
    assert len(figures.stalls_by_route) == 101
    assert (figures.stalls_by_route["GET /a"], figures.stalls_by_route["others"]) == (1, 101)


def test_opentelemetry_reads_it(metrics):
    sdk = pytest.importorskip("opentelemetry.sdk.metrics")
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    provider = sdk.MeterProvider([reader])
    metrics.to_opentelemetry(provider.get_meter("test"))
    blocked()
    points = {
        metric.name: [(point.value, dict(point.attributes)) for point in metric.data.data_points]
        for resource in reader.get_metrics_data().resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert (1, {"cause": "blocking-call"}) in points["loopstall.stalls"]
    assert points["loopstall.loop.lag.max"][0][0] >= 0.99 * LONG
    provider.shutdown()


@pytest.mark.parametrize(
    ("name", "how"), [("prometheus_client", "to_prometheus"), ("opentelemetry", "to_opentelemetry")]
)
def test_missing_extra_is_a_sentence(monkeypatch, metrics, name, how):
    import sys

    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="pip install"):
        getattr(metrics, how)()


def test_stopped_it_leaves_nothing_behind():
    made = LoopMetrics().start()
    blocked()
    made.stop()
    assert not [thread for thread in threading.enumerate() if "watchdog" in thread.name]
    assert asyncio.BaseEventLoop.run_forever.__module__ == "asyncio.base_events"


def test_threshold_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        LoopMetrics(0)
