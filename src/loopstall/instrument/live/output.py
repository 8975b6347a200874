"""The output of a program whose terminal shows a live view: kept in a file meanwhile, and printed afterwards.

A stream that is redirected is left alone. One that is the terminal's goes to a file without a name: the program writes
there without waiting for anybody, the view shows its last lines, and the terminal gets all of it in the end. What that
switches on the terminal, and a program that was killed did not switch back, is switched back then.
"""

from collections.abc import Iterator, Mapping
import contextlib
from itertools import chain
import os
import sys
import tempfile

from loopstall.instrument.live.modes import Modes, without_escapes

__all__ = ["KeptOutput"]

_STDOUT, _STDERR = 1, 2
_MOST_BYTES = 64 << 20
_TAIL_BYTES = 8192
_KEPT_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16


class KeptOutput:
    """The file that takes the streams of a program that are terminals.

    Args:
        most_bytes: from which length on what it has is left out, but for the end.
        kept_bytes: how long that end is.
    """

    def __init__(self, *, most_bytes: int = _MOST_BYTES, kept_bytes: int = _KEPT_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept_bytes = kept_bytes
        self._left_out = 0
        self._end = b""  # of what was left out
        self._streams = tuple(stream for stream in (_STDOUT, _STDERR) if _is_terminal(stream))
        self._file = -1
        if self._streams:
            made, path = tempfile.mkstemp(prefix="loopstall-output-")
            os.close(made)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | getattr(os, "O_CLOEXEC", 0))
            with contextlib.suppress(OSError):  # some systems do not remove what is open
                os.unlink(path)  # noqa: PTH108  # it is a descriptor's now

    @property
    def streams(self) -> Mapping[int, int]:
        """The descriptor that the program is to have in the place of each of its own."""
        return dict.fromkeys(self._streams, self._file)

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags of Python by which lines come as they are printed, as they do on a terminal."""
        return ("-u",) if _STDOUT in self._streams else ()

    def trim(self) -> None:
        """Keeps the file from growing beyond measure."""
        if self._file < 0 or os.fstat(self._file).st_size <= self._most_bytes:
            return
        size = os.fstat(self._file).st_size
        end = os.pread(self._file, self._kept_bytes, max(0, size - self._kept_bytes))
        os.ftruncate(self._file, 0)
        self._left_out += len(self._end) + size - len(end)
        self._end = end

    def last_lines(self, count: int) -> tuple[str, ...]:
        """Returns the lines that were written last, without colours."""
        if self._file < 0:
            return ()
        return tuple(without_escapes(self._tail()).decode(errors="replace").splitlines()[-count:])

    def close(self) -> None:
        """Prints everything to where it was to go, and removes it; says how much is left out."""
        if self._file < 0:
            return
        with contextlib.suppress(OSError, ValueError):
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            modes, tail = Modes(), self._tail()
            for chunk in chain([self._end], _chunks(self._file)):
                modes.read(chunk)
                self._print(chunk)
            self._print(modes.back() + modes.covered(tail))
            if self._left_out:
                said = f"loopstall: the first {self._left_out} bytes of output are left out; redirect it to a file\n"
                self._print((b"" if tail.endswith(b"\n") else b"\n") + said.encode())
        os.close(self._file)
        self._file = -1

    def _tail(self) -> bytes:
        size = os.fstat(self._file).st_size
        return self._end[-_TAIL_BYTES:] + os.pread(self._file, _TAIL_BYTES, max(0, size - _TAIL_BYTES))

    def _print(self, text: bytes) -> None:
        while text:
            text = text[os.write(self._streams[0], text) :]


def _chunks(file: int) -> Iterator[bytes]:
    """Reads a file from its beginning."""
    at = 0
    while chunk := os.pread(file, _CHUNK_BYTES, at):
        at += len(chunk)
        yield chunk


def _is_terminal(stream: int) -> bool:
    try:
        return os.isatty(stream)
    except OSError:
        return False
