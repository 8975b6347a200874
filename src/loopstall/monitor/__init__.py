"""The stall monitor, usable alone: standard library only.

    with loopstall.watch(threshold=0.005) as stalls:
        ...
    for stall in stalls:
        print(stall.duration_ns, stall.cause, stall.culprit)

What is behind this adapter is free to change; docs/how-detection-works.md says how it works and what it cannot see.
"""

from loopstall.monitor.core import Monitor
from loopstall.monitor.lag import LagMeter
from loopstall.monitor.stall_log import StallLog
from loopstall.monitor.watch import Watch, watch

__all__ = ["LagMeter", "Monitor", "StallLog", "Watch", "watch"]
