"""Threads of the command that leave every signal to the main thread."""

from collections.abc import Iterator
import contextlib
import signal

__all__ = ["unsignalled"]


@contextlib.contextmanager
def unsignalled() -> Iterator[None]:
    """Has threads that are started meanwhile leave every signal to the main thread, which waits for them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
