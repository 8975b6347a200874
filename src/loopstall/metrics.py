"""Loop lag, availability and stalls of a running service, for prometheus_client and OpenTelemetry.

Example:
    >>> from loopstall.metrics import LoopMetrics
    >>> metrics = LoopMetrics().start()
    >>> metrics.to_prometheus()  # pip install 'loopstall[prometheus]'
    >>> metrics.to_opentelemetry()  # pip install 'loopstall[opentelemetry]'
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
import threading
from typing import Any

from loopstall.monitor.core import Monitor
from loopstall.monitor.pool import MonitorPool
from loopstall.records import DESCHEDULED, Stall
from loopstall.records.clock import NS_PER_S, Clock, now_ns

__all__ = ["BUCKETS", "LoopFigures", "LoopMetrics"]

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histogram of loop lag, in seconds."""

_WINDOW_NS = 60 * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopFigures:
    """Figures since the start, over all loops of the process.

    Args:
        loops: the number of loops that are watched now.
        watched_s: the time that loops have been watched, in seconds; two loops count twice.
        kept_s: the part of it in which callbacks kept a loop for over 1 ms at a time.
        spans: those by length in ns: what a callback that fell due in one had to wait, at most.
        stalls: the number of stalls by cause.
        stalled_s: the time in stalls by cause, in seconds.
        stalls_by_route: the number of stalls by the label of what ran, such as a route, where ``StallMiddleware`` gives
            one; without those that the machine or another thread made. The first hundred, the rest as "others".
        stalled_s_by_route: the time in these, in seconds.
        availability: share of the last minute that no callback kept, 0 to 1; of the time since figures were last asked
            for, where that was longer ago.
        lag_max_s: the longest span of that time, 0 where none was over 1 ms.
    """

    loops: int
    watched_s: float
    kept_s: float
    spans: dict[int, int]
    stalls: dict[str, int]
    stalled_s: dict[str, float]
    stalls_by_route: dict[str, int]
    stalled_s_by_route: dict[str, float]
    availability: float
    lag_max_s: float


@dataclass(frozen=True, slots=True)
class _Totals:
    at_ns: int
    watched_ns: int
    spans: Counter[int]

    @property
    def kept_ns(self) -> int:
        return sum(length * count for length, count in self.spans.items())


class LoopMetrics:
    """Watches every event loop of the process, all day, and returns figures on request.

    Args:
        threshold: seconds from which on a span without progress is a stall.
        clock: monotonic time in ns.

    Raises:
        ValueError: the threshold is not positive.
    """

    def __init__(self, threshold: float = 0.02, *, clock: Clock = now_ns) -> None:
        if not threshold > 0:
            raise ValueError(f"threshold must be a positive number of seconds, not {threshold!r}")
        self._threshold_ns = round(threshold * NS_PER_S)
        self._clock = clock
        self._lock = threading.Lock()
        self._pool = MonitorPool(lambda: Monitor(threshold_ns=self._threshold_ns, kept=1, on_stall=self._count))
        self._past: deque[_Totals] = deque()
        self._by_route: Counter[str] = Counter()
        self._ns_by_route: Counter[str] = Counter()

    def start(self) -> "LoopMetrics":
        """Watches the loop that runs in this thread, if one does, and every loop that begins to run from now on."""
        self._pool.watch_all()
        self.figures()  # from where the first minute is counted
        return self

    def stop(self) -> None:
        """Watches no more."""
        self._pool.watch_none()

    def figures(self) -> LoopFigures:
        """Returns what there was so far; any thread may ask."""
        monitors = self._pool.monitors
        spans: Counter[int] = Counter()
        stalls: Counter[str] = Counter()
        stalled_ns: Counter[str] = Counter()
        for monitor in monitors:
            spans.update(dict(monitor.spans.counts()))
            stalls.update(monitor.stall_log.by_cause)
            stalled_ns.update(monitor.stall_log.ns_by_cause)
        with self._lock:
            by_route, ns_by_route = dict(self._by_route), dict(self._ns_by_route)
        watched_ns = sum(monitor.wall_ns for monitor in monitors)
        now = _Totals(self._clock(), watched_ns, spans)
        before = self._a_minute_before(now)
        meanwhile = spans - before.spans
        watched = now.watched_ns - before.watched_ns
        return LoopFigures(
            loops=sum(monitor.is_attached for monitor in monitors),
            watched_s=watched_ns / NS_PER_S,
            kept_s=now.kept_ns / NS_PER_S,
            spans=dict(sorted(spans.items())),
            stalls=dict(stalls),
            stalled_s={cause: spent / NS_PER_S for cause, spent in stalled_ns.items()},
            stalls_by_route=by_route,
            stalled_s_by_route={route: spent / NS_PER_S for route, spent in ns_by_route.items()},
            availability=min(1.0, max(0.0, 1 - (now.kept_ns - before.kept_ns) / watched)) if watched > 0 else 1.0,
            lag_max_s=max(meanwhile, default=0) / NS_PER_S,
        )

    def to_prometheus(self, registry: Any = None) -> Any:
        """Registers a collector with prometheus_client, and returns it.

        Args:
            registry: of prometheus_client; its default one for None.

        Raises:
            ImportError: it is not installed.
        """
        try:
            import prometheus_client  # an extra
        except ImportError as error:
            raise ImportError("prometheus_client is not installed (pip install 'loopstall[prometheus]')") from error
        collector = _Collector(self)
        (registry or prometheus_client.REGISTRY).register(collector)
        return collector

    def to_opentelemetry(self, meter: Any = None) -> None:
        """Makes observable instruments of OpenTelemetry.

        Args:
            meter: the meter that makes them; that of the global provider for None.

        Raises:
            ImportError: OpenTelemetry's API is not installed.
        """
        try:
            from opentelemetry import metrics  # an extra
        except ImportError as error:
            raise ImportError("OpenTelemetry is not installed (pip install 'loopstall[opentelemetry]')") from error
        made = meter or metrics.get_meter("loopstall")

        def told(read: Callable[[LoopFigures], Iterable[tuple[float, dict[str, str]]]]) -> Any:
            return [lambda _options: [metrics.Observation(*one) for one in read(self.figures())]]

        for name, unit, about, _labels, read in _COUNTERS:
            made.create_observable_counter(f"loopstall.{name}", told(read), unit, about)
        for name, unit, about, _labels, read in _GAUGES:
            made.create_observable_gauge(f"loopstall.{name}", told(read), unit, about)

    def _count(self, stall: Stall) -> None:
        """Counts a stall for the route that made it; called in the loop's thread."""
        if not stall.label or stall.cause in _NOT_ITS_OWN:
            return
        with self._lock:
            known = stall.label in self._by_route or len(self._by_route) < _ROUTES
            route = stall.label if known else _OTHERS
            self._by_route[route] += 1
            self._ns_by_route[route] += stall.duration_ns

    def _a_minute_before(self, now: _Totals) -> _Totals:
        """Returns the newest totals that are a minute old, else the oldest there are, and keeps these."""
        with self._lock:
            self._past.append(now)
            while len(self._past) > 1 and now.at_ns - self._past[1].at_ns >= _WINDOW_NS:
                self._past.popleft()
            if len(self._past) > _SNAPSHOTS:  # somebody asks more often than it is worth
                del self._past[-2]
            return self._past[0]


_SNAPSHOTS = 240
_ROUTES = 100  # where a framework tells no routes, a label is a path, and paths are without number
_OTHERS = "others"
_NOT_ITS_OWN = {DESCHEDULED, "gil-wait"}
"""Causes of stalls that are no matter of the route which the loop happened to run."""

_Read = Callable[[LoopFigures], Iterable[tuple[float, dict[str, str]]]]


_Row = tuple[str, str, str, tuple[str, ...], _Read]
"""Name, unit and help of a figure, the names of its labels, and what reads it."""


def _by(label: str, values: Mapping[str, float]) -> list[tuple[float, dict[str, str]]]:
    return [(value, {label: name}) for name, value in sorted(values.items())]


_COUNTERS: tuple[_Row, ...] = (
    ("loop.watched", "s", "For how long event loops have been watched.", (), lambda f: [(f.watched_s, {})]),
    ("loop.kept", "s", "For how long callbacks kept a loop for over 1 ms at a time.", (), lambda f: [(f.kept_s, {})]),
    ("stalls", "1", "Stalls of event loops, by cause.", ("cause",), lambda f: _by("cause", f.stalls)),
    ("stalled", "s", "Time spent in stalls, by cause.", ("cause",), lambda f: _by("cause", f.stalled_s)),
    (
        "route.stalls",
        "1",
        "Stalls, by the route that made them.",
        ("route",),
        lambda f: _by("route", f.stalls_by_route),
    ),
    (
        "route.stalled",
        "s",
        "Time spent in stalls, by the route that made them.",
        ("route",),
        lambda f: _by("route", f.stalled_s_by_route),
    ),
)
_GAUGES: tuple[_Row, ...] = (
    ("loops", "1", "Event loops that are watched now.", (), lambda f: [(f.loops, {})]),
    (
        "loop.availability",
        "1",
        "Share of the last minute that no callback kept for over 1 ms.",
        (),
        lambda f: [(f.availability, {})],
    ),
    ("loop.lag.max", "s", "Longest that a due callback waited in the last minute.", (), lambda f: [(f.lag_max_s, {})]),
)


class _Collector:
    """The collector that prometheus_client asks at every scrape.

    Args:
        metrics: the figures to export.
    """

    def __init__(self, metrics: LoopMetrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Any]:
        """Returns nothing: the names are known when they are collected."""
        return ()

    def collect(self) -> Iterator[Any]:
        """Yields a family a figure."""
        from prometheus_client import core  # an extra

        figures = self._metrics.figures()
        for kind, rows in ((core.CounterMetricFamily, _COUNTERS), (core.GaugeMetricFamily, _GAUGES)):
            for name, unit, about, labels, read in rows:
                full = f"loopstall_{name.replace('.', '_')}{'_seconds' if unit == 's' else ''}"
                family = kind(full, about, labels=labels)
                for value, attributes in read(figures):
                    family.add_metric(list(attributes.values()), value)
                yield family
        lag = core.HistogramMetricFamily(
            "loopstall_loop_lag_seconds", "Spans of over 1 ms: what a callback that fell due in one waited at most."
        )
        counts = [
            (str(bound), sum(count for length, count in figures.spans.items() if length <= bound * NS_PER_S))
            for bound in BUCKETS
        ]
        lag.add_metric([], [*counts, ("+Inf", sum(figures.spans.values()))], sum_value=figures.kept_s)
        yield lag
