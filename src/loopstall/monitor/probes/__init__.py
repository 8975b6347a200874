"""The ways to time a loop, and which one a loop gets."""

import asyncio
from typing import Any

from loopstall.monitor.probes.base import Listener, NoProbe, Probe
from loopstall.monitor.probes.curio import CurioProbe, CurioRun
from loopstall.monitor.probes.epoll import EpollProbe, is_plain_epoll
from loopstall.monitor.probes.heartbeat import HeartbeatProbe
from loopstall.monitor.probes.selector import SelectorProbe
from loopstall.monitor.probes.trio import TrioProbe, TrioRun
from loopstall.records.clock import Clock

__all__ = [
    "CurioProbe",
    "CurioRun",
    "EpollProbe",
    "HeartbeatProbe",
    "Listener",
    "NoProbe",
    "Probe",
    "SelectorProbe",
    "TrioProbe",
    "TrioRun",
    "probe_for",
]


def probe_for(loop: Any, *, threshold_ns: int, floor_ns: int, clock: Clock, listener: Listener) -> Probe:
    """Returns the best way there is to time a loop."""
    if isinstance(loop, TrioRun):
        return TrioProbe(loop, threshold_ns=threshold_ns, floor_ns=floor_ns, clock=clock, listener=listener)
    if isinstance(loop, CurioRun):
        return CurioProbe(loop, threshold_ns=threshold_ns, floor_ns=floor_ns, clock=clock, listener=listener)
    selector = None if _never_selects(loop) else getattr(loop, "_selector", None)
    if is_plain_epoll(selector):
        return EpollProbe(selector, threshold_ns=threshold_ns, floor_ns=floor_ns, clock=clock, listener=listener)
    if hasattr(selector, "select") and hasattr(selector, "__dict__"):
        return SelectorProbe(selector, threshold_ns=threshold_ns, floor_ns=floor_ns, clock=clock, listener=listener)
    return HeartbeatProbe(loop, threshold_ns=threshold_ns, floor_ns=floor_ns, clock=clock, listener=listener)


def _never_selects(loop: Any) -> bool:
    """Returns whether a loop works off what is due by means of its own, and never asks its selector (Qt's)."""
    kind, own = type(loop), asyncio.BaseEventLoop
    return isinstance(loop, own) and kind.run_forever is not own.run_forever and kind.call_soon is not own.call_soon
