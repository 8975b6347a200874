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

from loopstall import workload


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
    looks harmless and waits like any other call. The async twin logs through a `QueueHandler`, whose listener
    waits in a thread of its own. A right answer is how many lines were logged.
    """
    return _log(_logger(path, queued=False), seed, lines)


@logging_to_file.native()
async def _(seed: int, *, lines: int, path: str) -> int:
    return _log(_logger(path, queued=True), seed, lines)


def _log(logger: logging.Logger, seed: int, lines: int) -> int:
    for number in range(lines):
        logger.warning("job %d, line %d: something worth keeping", seed, number)
    return lines


@logging_to_file.context
@contextlib.contextmanager
def _(seed: int, *, lines: int) -> Iterator[dict[str, str]]:  # noqa: ARG001
    with tempfile.TemporaryDirectory(prefix="loopstall-logging-", ignore_cleanup_errors=True) as folder:
        yield {"path": str(Path(folder, "service.log"))}


@logging_to_file.verify
def _(result: object, seed: int, *, lines: int, path: str) -> bool:  # noqa: ARG001
    return result == lines and Path(path).stat().st_size >= 0
