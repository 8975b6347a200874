"""Takes what the processes of a watched program hand over: a folder of files, a line for each stall."""

from collections.abc import Iterator
import contextlib
import json
from pathlib import Path

from loopstall.records import StallEvent, stall_event_from

__all__ = ["Inbox"]

_LONG_BYTES = 1 << 20


class Inbox:
    """The folder in which stalls are handed over, by whoever appends lines to a ``.jsonl`` file of its own there.

    Args:
        folder: it is there already.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: dict[str, None] = {}
        """Sentences on what the processes could not do, in the order in which they said so."""
        self._read: dict[str, int] = {}  # name of a file: how many bytes of it have been taken

    def take(self) -> Iterator[StallEvent]:
        """Yields what has been handed over since the last time.

        A line that its process was killed in is left out, and so is one that is nothing of ours.
        """
        for path in sorted(self.folder.glob("*.jsonl"), reverse=True):  # what was put aside comes first
            for line in self._lines(path):
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    told = json.loads(line)
                    if "fault" in told:
                        self.faults[f"{told['process']}: {told['fault']}"] = None
                    else:
                        yield stall_event_from(told)

    def _lines(self, path: Path) -> list[bytes]:
        """Returns the whole lines that have been appended to a file."""
        begin = self._read.get(path.name, 0)
        try:
            if path.is_symlink() or path.stat().st_size == begin:  # whoever writes here may be another user
                return []
            with path.open("rb") as file:
                file.seek(begin)
                whole, _, _ = file.read().rpartition(b"\n")
        except OSError:
            return []
        self._read[path.name] = begin + len(whole) + bool(whole)
        if self._read[path.name] > _LONG_BYTES:
            self._put_aside(path)
        return whole.splitlines()

    def _put_aside(self, path: Path) -> None:
        """Has a process begin a new file, so that a program that stalls for days does not fill the disk.

        The long one is read on, for who has it open at this moment, until the next long one takes its place.
        """
        aside = path.with_name(f"{path.name.partition('.')[0]}.long.jsonl")
        if aside != path:
            with contextlib.suppress(OSError):
                path.replace(aside)
                self._read[aside.name] = self._read.pop(path.name)
