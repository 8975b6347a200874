"""The output of a program whose terminal shows a live view: kept in a file meanwhile, and printed afterwards.

A stream that is redirected is left alone. One that is the terminal's goes to a file without a name: the program writes
there without waiting for anybody, the view shows its last lines, and the terminal gets all of it in the end.
"""

from collections.abc import Mapping
import contextlib
import os
import sys
import tempfile

__all__ = ["KeptOutput"]

_STDOUT, _STDERR = 1, 2
_MOST_BYTES = 64 << 20
_TAIL_BYTES = 8192
_CHUNK_BYTES = 1 << 16


class KeptOutput:
    """The file that takes the streams of a program that are terminals.

    Args:
        most_bytes: from which length on what it has is left out.
    """

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._left_out = 0
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

    def last_lines(self, count: int) -> tuple[str, ...]:
        """Returns the lines that were written last, and keeps the file from growing beyond measure."""
        if self._file < 0:
            return ()
        size = os.fstat(self._file).st_size
        lines = os.pread(self._file, _TAIL_BYTES, max(0, size - _TAIL_BYTES)).decode(errors="replace").splitlines()
        if size > self._most_bytes:
            self._left_out += size
            os.ftruncate(self._file, 0)
        return tuple(lines[-count:])

    def close(self) -> None:
        """Prints everything to where it was to go, and removes it."""
        file, self._file = self._file, -1
        if file < 0:
            return
        with contextlib.suppress(OSError, ValueError):
            target = self._streams[0]
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            if self._left_out:
                said = f"loopstall: {self._left_out} bytes of output before this are left out; redirect it to a file\n"
                os.write(target, said.encode())
            at = 0
            while chunk := os.pread(file, _CHUNK_BYTES, at):
                at += len(chunk)
                while chunk:
                    chunk = chunk[os.write(target, chunk) :]
        os.close(file)


def _is_terminal(stream: int) -> bool:
    try:
        return os.isatty(stream)
    except OSError:
        return False
