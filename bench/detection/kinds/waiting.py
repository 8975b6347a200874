"""Work that waits: for a clock, a disk, a lock, with the GIL given up or kept."""

import ctypes
import os
import tempfile
import threading
import time

from kinds.base import Work

_BLOCK = b"x" * 1000
_KEEPING = ctypes.PyDLL(None)


def sleep(seconds: float) -> None:
    """Sleeps."""
    time.sleep(seconds)  # here


def fsync(seconds: float) -> None:
    """Waits for the disk."""
    until = time.perf_counter() + seconds
    with tempfile.TemporaryFile(dir=".") as file:
        while time.perf_counter() < until:
            os.pwrite(file.fileno(), _BLOCK, 0)  # here
            os.fsync(file.fileno())  # here


def lock(seconds: float) -> None:
    """Waits for a lock."""
    held = threading.Lock()
    held.acquire()
    held.acquire(timeout=seconds)  # here


def keeping_the_gil(seconds: float) -> None:
    """Sleeps and keeps the GIL, as an extension does that does not give it up; goes on where a signal ends a call."""
    until = time.perf_counter() + seconds
    while (left := until - time.perf_counter()) > 0:
        _KEEPING.usleep(int(left * 1e6) + 1)  # here


def keeping_the_gil_once(seconds: float) -> None:
    """Sleeps and keeps the GIL, in one call that a signal ends."""
    _KEEPING.usleep(int(seconds * 1e6))  # here


SLEEP = Work(sleep)
FSYNC = Work(fsync)
LOCK = Work(lock)
KEEPING_THE_GIL = Work(keeping_the_gil)
KEEPING_THE_GIL_ONCE = Work(keeping_the_gil_once)
