"""Writes files whole or not at all."""

import contextlib
import os
from pathlib import Path

from loopstall.errors import InputError

__all__ = ["write_output", "write_text"]


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all: a draft beside it takes its place when it is on the disk."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def write_output(path: Path, text: str) -> None:
    """Writes a file that the user asked for, whole or not at all, and makes the folder that it lies in.

    Raises:
        InputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; choose another file with -o") from error
