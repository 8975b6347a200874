"""The words for a thread that waits in no system call; they stand among the names of those."""

__all__ = ["GIL", "READY", "RUNNING"]

GIL = "GIL"
"""Waits in futex for the GIL."""

RUNNING = "running"
"""Computes, in the program or in the kernel."""

READY = "ready"
"""Would compute and has no CPU."""
