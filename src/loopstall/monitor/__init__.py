"""The stall monitor, usable alone: standard library only.

    monitor = Monitor(threshold_ns=5_000_000)
    monitor.start()          # inside the running loop
    ...
    observation = monitor.stop()

What is behind this face is free to change: a heartbeat inside the loop measures loop lag, and a watchdog thread
reads the loop thread's stack while the heartbeat is overdue.
"""

from loopstall.monitor.core import Monitor

__all__ = ["Monitor"]
