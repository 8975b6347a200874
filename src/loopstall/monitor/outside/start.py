"""Starts a helper process that is nobody's child, so that a program that waits for any child of its own never meets it.

Hands on ``start_helper``. What the helper does is no matter of this module.
"""

from collections.abc import Sequence
import contextlib
import fcntl
import os
from pathlib import Path
import sys
from typing import Any

__all__ = ["start_helper"]

_ROOT = Path(__file__).resolve().parents[3]
_FIRST_FD = 3  # of the helper's, after the standard ones, which are none of the program's
_OUT_OF_THE_WAY = 64  # descriptors are kept above it while they are put at their places
_MOST_FDS = 4096
_NUMBER_BYTES = 32
_KEPT = ("LD_LIBRARY_PATH", "PATH")


def start_helper(  # each may be there or not
    *,
    program: int = -1,
    listens: int = -1,
    owner: int = -1,
    prints: int = -1,
    hang_after_s: float = 0.0,
    command: Sequence[str] = (),
) -> int:
    """Starts a helper and returns its number at once.

    A shell starts it in the background, tells its number and ends, so that the system adopts it.

    Args:
        program: descriptor of a connection to a program, -1 for none.
        listens: descriptor of a socket to which programs connect, -1 for none.
        owner: descriptor to which stalls are told that have not ended, -1 for that of the program.
        prints: descriptor for what ``command`` prints.
        hang_after_s: how long a stall is told of while it lasts; 0 for never.
        command: of a program that prints such news, which it reads from its standard input; none for ().

    Raises:
        OSError: the system starts none.
    """
    given = {"program": program, "listens": listens, "owner": owner, "prints": prints}
    kept = {name: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY) for name, fd in given.items() if fd >= 0}
    places = dict(zip(kept, range(_FIRST_FD, _FIRST_FD + len(kept)), strict=True))
    words = {name: places.get(name, -1) for name in given} | {"hang_after_s": hang_after_s, "command": list(command)}
    code = (
        f"import os, sys; os.closerange({_FIRST_FD + len(kept)}, {_MOST_FDS}); sys.path.insert(0, {str(_ROOT)!r})\n"
        f"from loopstall.monitor.outside.helper import main; main(**{words!r})"
    )
    try:
        number = _number_of(code, {kept[name]: place for name, place in places.items()})
    finally:
        for fd in kept.values():
            os.close(fd)
    if not number.strip().isdigit():
        raise OSError(0, "the shell started nothing")
    return int(number)


def _number_of(code: str, places: dict[int, int]) -> bytes:
    """Has a shell run code in the background, and returns what it says of it.

    Args:
        code: for Python.
        places: where each descriptor is put.
    """
    told, tells = os.pipe2(os.O_CLOEXEC)
    actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 2)]
    actions += [(os.POSIX_SPAWN_DUP2, fd, place) for fd, place in ({tells: 1} | places).items()]
    command = ["sh", "-c", '"$@" >/dev/null & echo $!', "sh", sys.executable, "-I", "-S", "-c", code]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        pid = os.posix_spawn("/bin/sh", command, environment, file_actions=actions, setsid=True)
    except OSError:
        os.close(told)
        raise
    finally:
        os.close(tells)
    with open(told, "rb") as lines:  # noqa: PTH123  # it is a descriptor
        number = lines.read(_NUMBER_BYTES)
    with contextlib.suppress(ChildProcessError):  # the program waits for any child, or ignores SIGCHLD
        os.waitpid(pid, 0)
    return number
