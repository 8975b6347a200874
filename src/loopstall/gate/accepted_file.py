"""The file of what is accepted: read whole, and added to."""

from collections.abc import Sequence
import json
from pathlib import Path
import tomllib

from loopstall.errors import InputError
from loopstall.files import write_text
from loopstall.gate.accepted import Accepted, parse
from loopstall.records import STALL

__all__ = ["append", "read"]


def read(path: Path, *, required: bool = False) -> tuple[Accepted, ...]:
    """Reads the entries.

    Args:
        path: of the file.
        required: whether it must be there; else a missing one has no entries.

    Raises:
        InputError: it cannot be read, or says something that is no entry.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if required:
            raise InputError(f"cannot read {path}: there is no such file") from error
        return ()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    return parse(table, str(path))


def append(path: Path, entries: Sequence[Accepted]) -> None:
    """Adds entries; what else is in the file stays as it is.

    Raises:
        InputError: it cannot be written.
    """
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        written = "\n".join(map(_toml, entries))
        write_text(path, f"{before.rstrip()}\n\n{written}".lstrip())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot write {path}: {error}") from error


def _toml(entry: Accepted) -> str:
    fields = {
        "what": entry.what,
        "workload": entry.workload,
        "strategy": entry.strategy,
        "test": entry.test,
        "where": entry.where,
        "budget": f"{entry.budget / 1e6:.1f}ms" if entry.what == STALL else f"{entry.budget:.1%}",
        "reason": entry.reason,
        "who": entry.who,
    }
    # A JSON string is a TOML string: both escape the same way.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items() if value]
    return "\n".join(["[[accepted]]", *lines, f"until = {entry.until}", ""])
