"""``loopstall.watch``: the monitor as a context manager and a decorator."""

from collections import Counter
from collections.abc import Callable, Iterator
import functools
import inspect
from operator import itemgetter
from types import TracebackType
from typing import Any, Self, TypeVar

from loopstall.monitor import everywhere
from loopstall.monitor.core import Monitor
from loopstall.monitor.pool import MonitorPool
from loopstall.monitor.running import running_here
from loopstall.monitor.samplers import SAMPLERS
from loopstall.records import Stall
from loopstall.records.clock import NS_PER_S

__all__ = ["Watch", "watch"]

_F = TypeVar("_F", bound=Callable[..., Any])
_KEPT = 1000


class Watch:
    """Stalls of the loop that runs where this is entered, or, where none does, of every loop that runs meanwhile.

    Iterating gives the stalls so far in the order of time: all of them up to a bound, the longest beyond it. As a
    decorator it watches each call of a function or coroutine function.

    Args:
        threshold: seconds from which on a span without progress is a stall.
        on_stall: called with every stall when it has ended, in the loop's thread.
        kept: how many stalls are kept in full; all are counted.
        on_hang: called with a stall that goes on: when it has lasted for ``hang_after`` seconds, and each time that it
            has doubled; in a thread of its own, as soon as that gets the GIL. Only where a helper looks (Linux).
        hang_after: see there.
        sampler: who looks at the loop's thread while it is late: a helper process from "outside", a thread of this
            process from "inside", or "auto", the helper where it can be had. None for what the variable
            ``LOOPSTALL_SAMPLER`` says, else "auto".

    Raises:
        ValueError: the threshold or ``hang_after`` is not positive, or there is no such sampler.
    """

    def __init__(
        self,
        threshold: float = 0.005,
        *,
        on_stall: Callable[[Stall], object] | None = None,
        kept: int = _KEPT,
        on_hang: Callable[[Stall], object] | None = None,
        hang_after: float = 1.0,
        sampler: str | None = None,
    ) -> None:
        if not hang_after > 0:
            raise ValueError(f"hang_after must be a positive number of seconds, not {hang_after!r}")
        if not threshold > 0:
            raise ValueError(f"threshold must be a positive number of seconds, not {threshold!r}")
        if sampler not in {None, *SAMPLERS}:
            raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, not {sampler!r}")
        self._settings: dict[str, Any] = {
            "on_stall": on_stall, "kept": kept, "on_hang": on_hang, "hang_after": hang_after, "sampler": sampler,
        }  # fmt: skip
        self._threshold_ns = round(threshold * NS_PER_S)
        self._pool = MonitorPool(self._monitor)

    def __enter__(self) -> Self:
        loop = running_here()
        if loop is None:
            everywhere.add(self._pool.begin, self._pool.join)
        else:
            self._pool.join(loop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        everywhere.discard(self._pool.begin)
        self._pool.stop()

    def __call__(self, function: _F) -> _F:
        """Returns the function, watched while it runs with a watch of these settings."""

        def again() -> Watch:
            return Watch(self._threshold_ns / NS_PER_S, **self._settings)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def watched_coroutine(*args: Any, **kwargs: Any) -> Any:
                with again():
                    return await function(*args, **kwargs)

            return watched_coroutine  # type: ignore[return-value]  # the same signature, by functools.wraps

        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            with again():
                return function(*args, **kwargs)

        return watched  # type: ignore[return-value]

    def _monitor(self) -> Monitor:
        settings = {name: value for name, value in self._settings.items() if name != "hang_after"}
        return Monitor(threshold_ns=self._threshold_ns, hang_after_s=self._settings["hang_after"], **settings)

    def __iter__(self) -> Iterator[Stall]:
        begun = [
            (monitor.started_ns + stall.start_ns, stall)
            for monitor in self._pool.monitors
            for stall in monitor.stall_log
        ]
        return (stall for _, stall in sorted(begun, key=itemgetter(0)))

    def __len__(self) -> int:
        return sum(len(monitor.stall_log) for monitor in self._pool.monitors)

    def __getitem__(self, index: int) -> Stall:
        return list(self)[index]

    @property
    def count(self) -> int:
        """The number of stalls, also of those that are not kept in full."""
        return sum(monitor.stall_log.count for monitor in self._pool.monitors)

    @property
    def dropped(self) -> int:
        """The number of stalls that are counted and not kept in full."""
        return sum(monitor.stall_log.dropped for monitor in self._pool.monitors)

    @property
    def stalled(self) -> float:
        """Seconds spent in stalls, over all loops."""
        return sum(monitor.stall_log.total_ns for monitor in self._pool.monitors) / NS_PER_S

    @property
    def watched(self) -> float:
        """Seconds for which loops were watched; two loops count twice, and 0 says that none ran."""
        return sum(monitor.wall_ns for monitor in self._pool.monitors) / NS_PER_S

    @property
    def availability(self) -> float:
        """Share of the watched time in which the loops were not kept for over 1 ms, 0 to 1, whatever the threshold.

        So ten spans of 4 ms are seen, none of which is a stall of 5 ms.
        """
        wall = self.watched
        kept = sum(length * count for length, count in self.spans)
        return max(0.0, 1.0 - kept / wall) if wall else 1.0

    @property
    def by_culprit(self) -> dict[str, int]:
        """The number of stalls by culprit, the most frequent first."""
        total: Counter[str] = sum((monitor.stall_log.by_culprit for monitor in self._pool.monitors), Counter())
        return dict(total.most_common())

    @property
    def spans(self) -> tuple[tuple[float, int], ...]:
        """Spans of work over 1 ms as (seconds, how often), below the threshold as well."""
        total: Counter[int] = Counter()
        for monitor in self._pool.monitors:
            total.update(dict(monitor.spans.counts()))
        return tuple((length / NS_PER_S, count) for length, count in sorted(total.items()))

    @property
    def faults(self) -> tuple[str, ...]:
        """Parts of the monitor that are not available here, or have failed and were switched off."""
        return self._pool.faults


watch = Watch
"""``with loopstall.watch(threshold=0.005) as stalls: ...``, or ``@loopstall.watch(threshold=0.005)``."""
