"""Stalls with known truth: each kind blocks the running loop for a given time, on a line that is marked.

A kind is (function, cause, where): ``where`` is ``loop`` for what the loop's thread does itself, ``thread`` for what
another thread does to it. The marked lines are the truth that a named line is held against.
"""

from collections.abc import Callable
from dataclasses import dataclass
import hashlib
import os
from pathlib import Path
import tempfile
import threading
import time

FILE = str(Path(__file__).resolve())
MARK = "# here"
_SMALL = b"x" * 1000
_BIG = b"x" * 100_000_000  # some 70 ms
_NUMBERS_A_SECOND = 0.0


def calibrate() -> None:
    """Finds out how many numbers are summed in a second here."""
    global _NUMBERS_A_SECOND  # noqa: PLW0603  # measured once a process
    for _ in range(3):
        begun = time.perf_counter()
        sum(range(1_000_000))
        _NUMBERS_A_SECOND = max(_NUMBERS_A_SECOND, 1_000_000 / (time.perf_counter() - begun))


def sleep(seconds: float) -> None:
    """Sleeps."""
    time.sleep(seconds)  # here


def python(seconds: float) -> None:
    """Computes in Python."""
    until = time.perf_counter() + seconds
    number = 0
    while time.perf_counter() < until:  # here
        number += 1  # here


def native(seconds: float) -> None:
    """Computes in one C call that keeps the GIL."""
    sum(range(int(seconds * _NUMBERS_A_SECOND)))  # here


def many_native(seconds: float) -> None:
    """Computes in many short C calls that keep the GIL, as small buffers are hashed."""
    until = time.perf_counter() + seconds
    digest = hashlib.sha256()
    while time.perf_counter() < until:  # here
        digest.update(_SMALL)  # here


def fsync(seconds: float) -> None:
    """Waits for the disk."""
    until = time.perf_counter() + seconds
    with tempfile.TemporaryFile(dir=".") as file:
        while time.perf_counter() < until:
            os.pwrite(file.fileno(), _SMALL, 0)  # here
            os.fsync(file.fileno())  # here


def lock(seconds: float) -> None:
    """Waits for a lock."""
    held = threading.Lock()
    held.acquire()
    held.acquire(timeout=seconds)  # here


def lock_beside_busy_thread(seconds: float) -> None:
    """Waits for a lock, while a thread is busy with something that needs no GIL (a decoy)."""
    Threads.wanted.set()
    lock(seconds)


def thread_native_beside_busy_thread(seconds: float) -> None:
    """Computes in another thread, in one C call that keeps the GIL, while a third computes without it (a decoy)."""
    Threads.wanted.set()
    time.sleep(0.002)  # until that one is at it
    thread_native(seconds)


def python_after_innocent(seconds: float) -> None:
    """Computes in Python, right after another callback that did next to nothing (a decoy)."""
    python(seconds)


def thread_python(seconds: float) -> None:
    """Computes in Python in another thread."""
    until = time.perf_counter() + seconds
    number = 0
    while time.perf_counter() < until:  # here
        number += 1  # here


def thread_native(seconds: float) -> None:
    """Computes in another thread, in one C call that keeps the GIL."""
    sum(range(int(seconds * _NUMBERS_A_SECOND)))  # here


@dataclass(frozen=True)
class Kind:
    """What is injected, where it runs, and what is true of it."""

    function: Callable[[float], None]
    cause: str
    in_loop: bool = True
    known_length: bool = True


KINDS = {
    "time.sleep": Kind(sleep, "blocking-call"),
    "python": Kind(python, "cpu-python"),
    "one C call": Kind(native, "cpu-native"),
    "many C calls": Kind(many_native, "cpu-python"),
    "fsync": Kind(fsync, "blocking-call"),
    "lock": Kind(lock, "blocking-call"),
    "lock, decoy": Kind(lock_beside_busy_thread, "blocking-call"),
    "python, decoy": Kind(python_after_innocent, "cpu-python"),
    "GIL, python": Kind(thread_python, "gil-wait", in_loop=False, known_length=False),
    "GIL, C call": Kind(thread_native, "gil-wait", in_loop=False),
    "GIL, decoy": Kind(thread_native_beside_busy_thread, "gil-wait", in_loop=False),
}
_CALLS: dict[Callable[[float], None], Callable[[float], None]] = {
    lock_beside_busy_thread: lock,
    python_after_innocent: python,
    thread_native_beside_busy_thread: thread_native,
}


_TEXT = Path(FILE).read_text(encoding="utf-8").splitlines()


def lines_of(kind: Kind) -> set[int]:
    """Returns the numbers of the marked lines of a kind's function."""
    function = _CALLS.get(kind.function, kind.function)
    first = function.__code__.co_firstlineno
    found = set()
    for number in range(first + 1, len(_TEXT) + 1):
        if _TEXT[number - 1] and not _TEXT[number - 1].startswith(" "):
            break
        if _TEXT[number - 1].endswith(MARK):
            found.add(number)
    return found


class Threads:
    """The threads that wait to be told what to do: the one that hogs the GIL, and the decoy that does not."""

    wanted = threading.Event()
    """The decoy's."""

    def __init__(self) -> None:
        self._task: tuple[Callable[[float], None], float] | None = None
        self._wanted = threading.Event()
        self.span = (0, 0)
        self.done = threading.Event()
        threading.Thread(target=self._hog, name="hog", daemon=True).start()
        threading.Thread(target=self._decoy, name="decoy", daemon=True).start()

    def do(self, function: Callable[[float], None], seconds: float) -> None:
        """Has the hog do it; ``done`` tells when it has, ``span`` from when to when, in ns."""
        self._task = (function, seconds)
        self.done.clear()
        self._wanted.set()

    def _hog(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            assert self._task is not None
            function, seconds = self._task
            begun = time.perf_counter_ns()
            function(seconds)
            self.span = (begun, time.perf_counter_ns())
            self.done.set()

    @staticmethod
    def _decoy() -> None:
        while True:
            Threads.wanted.wait()
            Threads.wanted.clear()
            hashlib.sha256(_BIG).digest()
