"""The proof of which code a process ran: the modules that it has imported, with their files and hashes."""

import hashlib
import os
from pathlib import Path
import sys
from types import ModuleType

from loopstall.records import Code, Module
from loopstall.workloads.loader import MODULE_PREFIX
from loopstall.workloads.places import NEITHER, Places, of_this_process

__all__ = ["imported"]


def imported(places: Places | None = None) -> Code | None:
    """Returns what this process has imported; None where it runs no side's code.

    Args:
        places: the folders of the two sides; those that the environment names for None.
    """
    places = places or of_this_process()
    if places is None:
        return None
    modules: list[Module] = []
    outside: dict[str, str] = {}
    for name, module in sorted(sys.modules.items()):
        file = _file(module)
        if not file or name == "__main__" or name.startswith(MODULE_PREFIX):
            continue
        if places.whose(file) != NEITHER:
            modules.append(Module(name=name, file=file, digest=_digest(file)))
        elif "." not in name and name not in sys.stdlib_module_names and name != "loopstall":
            outside[name] = file
    return Code(modules=tuple(modules), outside=tuple(outside.items()))


def _file(module: ModuleType | None) -> str:
    """Returns the file that a module came from, "" where there is none, as of a built-in or a namespace package."""
    file = getattr(module, "__file__", None)
    return os.path.realpath(file) if isinstance(file, str) else ""


def _digest(file: str) -> str:
    try:
        return hashlib.blake2b(Path(file).read_bytes(), digest_size=16).hexdigest()
    except OSError:  # in an archive, or gone since
        return ""
