"""A log that is synced to the disk."""

from collections.abc import Iterator
import contextlib
from functools import lru_cache
import logging
import logging.handlers
import os
from pathlib import Path
import queue
import tempfile
import time

from loopstall import workload

_WRITTEN_LIMIT_S = 30.0


class _Syncing(logging.FileHandler):
    """A handler that is done when the line is on the disk."""

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        if self.stream is not None:
            os.fsync(self.stream.fileno())


@lru_cache(maxsize=4)
def _logger(path: str, *, queued: bool) -> logging.Logger:
    logger = logging.getLogger(f"loopstall.{'queued' if queued else 'direct'}")
    logger.propagate = False
    handler = _Syncing(path)
    if queued:
        waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        logger.addHandler(logging.handlers.QueueHandler(waiting))
        logging.handlers.QueueListener(waiting, handler).start()
    else:
        logger.addHandler(handler)
    return logger


@workload(params={"lines": [10]}, on_request=True)
def logging_to_file(seed: int, *, lines: int, path: str) -> int:
    """Log lines through a handler that blocks until they are on the disk.

    Stands for an audit log, a handler that sends to a slow collector, a file on a network disk: a line of logging
    looks harmless and waits like any other call. The async version logs through a `QueueHandler`, whose listener
    waits in a thread of its own. A right answer is how many lines were logged, the last of which is in the file.
    """
    return _log(_logger(path, queued=False), seed, lines)


@logging_to_file.async_version()
async def _(seed: int, *, lines: int, path: str) -> int:
    return _log(_logger(path, queued=True), seed, lines)


def _log(logger: logging.Logger, seed: int, lines: int) -> int:
    for number in range(lines):
        logger.warning(_text(seed, number))
    return lines


def _text(seed: int, number: int) -> str:
    return f"job {seed}, line {number}: something worth keeping"


@logging_to_file.context
@contextlib.contextmanager
def _(seed: int, *, lines: int) -> Iterator[dict[str, str]]:  # noqa: ARG001
    with tempfile.TemporaryDirectory(prefix="loopstall-logging-", ignore_cleanup_errors=True) as folder:
        yield {"path": str(Path(folder, "service.log"))}


@logging_to_file.verify
def _(result: object, seed: int, *, lines: int, path: str) -> bool:
    return result == lines and _is_written(_text(seed, lines - 1), path)


@lru_cache(maxsize=64)
def _is_written(line: str, path: str) -> bool:
    """Says whether a line is in the file, or comes into it while the listener works off what is queued."""
    deadline = time.monotonic() + _WRITTEN_LIMIT_S
    while line not in Path(path).read_text("utf-8"):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
