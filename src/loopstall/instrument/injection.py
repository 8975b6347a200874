"""Has a process that runs already watch itself, by a script that its Python runs (``sys.remote_exec``, 3.14 and later).

Hands on ``Injection``. What the script does there is the matter of ``injected``.
"""

import contextlib
import json
import os
from pathlib import Path
import socket
import struct
import sys
import sysconfig
import time
from typing import Any, Self

import loopstall
from loopstall.errors import InputError
from loopstall.instrument.injected import FAREWELL
from loopstall.monitor.outside.address import listening
from loopstall.monitor.outside.attached import Attached

__all__ = ["Injection", "check"]

_FIRST = (3, 14)
_MESSAGE_BYTES = 1 << 16
_CREDENTIALS = struct.Struct("3i")
_END_S = 2.0  # until loops that read the connection have taken everything back
_SCRIPT_S = 3.0  # and then until the script has
_PAUSE_S = 0.02
_PACKAGE = Path(loopstall.__file__).parent
_END = Path(__file__).with_name("end_injected.py")

_BEGIN = """
import importlib.util, json, os, socket, sys

def begin():
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        here = os.open({folder!r}, os.O_PATH | os.O_CLOEXEC)  # for the path of a socket must be short
        try:
            control.connect(f"/proc/self/fd/{{here}}/{control}")
        finally:
            os.close(here)
    except OSError:  # the command has ended
        control.close()
        return
    before = set(sys.modules)
    try:
        if "loopstall" not in sys.modules:
            where = [{package!r}]
            spec = importlib.util.spec_from_file_location("loopstall", {init!r}, submodule_search_locations=where)
            sys.modules["loopstall"] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        from loopstall.instrument.injected import begin
        begin(control, version={version!r}, folder={folder!r}, helper={helper!r}, threshold_ns={threshold_ns!r})
    except Exception as error:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == "loopstall":
                del sys.modules[name]
        try:
            control.send(json.dumps({{"failed": f"{{type(error).__name__}}: {{error}}"}}).encode())
        except OSError:
            pass
        control.close()

begin()
"""


def check(process: Attached) -> None:
    """Raises ``InputError`` where no code can be run in a process, and says what would help."""
    pid, theirs, ours = process.pid, process.version, sys.version_info[:2]
    names = [".".join(map(str, version)) for version in (theirs, ours)]
    otherwise = "watch it from outside, without --inject"
    if theirs < _FIRST:
        raise InputError(f"process {pid} is Python {names[0]}, and only 3.14 and later run code of others: {otherwise}")
    if ours != theirs or process.free_threaded != bool(sysconfig.get_config_var("Py_GIL_DISABLED")):
        kinds = [" (free-threaded)" * process.free_threaded, ""] if ours == theirs else ["", ""]
        raise InputError(
            f"process {pid} is Python {names[0]}{kinds[0]}, which takes code from the same Python alone: "
            f"run loopstall with that instead of {names[1]}, or {otherwise}"
        )
    if not hasattr(sys, "remote_exec"):
        raise InputError(f"this Python was built without remote debugging: {otherwise}")
    if not _same_files(pid):
        raise InputError(
            f"process {pid} sees other files than this one, as in a container: run loopstall there, or {otherwise}"
        )


def _same_files(pid: int) -> bool:
    """Returns whether paths mean the same to a process and to this one."""
    try:
        return all(
            os.path.samestat(os.stat(f"/proc/{pid}/{name}"), os.stat(f"/proc/self/{name}"))  # noqa: PTH116  # links
            for name in ("root", "ns/mnt")
        )
    except OSError:
        return False


class Injection:
    """The connection to a process that watches its own loops, or is about to.

    Args:
        process: that is to do so.
        folder: a private one, for what is handed over.
        helper: number and socket of the helper process.
        threshold_ns: the span without progress from which there is a stall.

    Raises:
        InputError: it takes no script.
    """

    def __init__(self, process: Attached, folder: Path, *, helper: str, threshold_ns: int) -> None:
        self.begun = False
        self.ended = False
        """True once everything has been taken back there, or the process has gone."""
        self._process = process
        self._control: socket.socket | None = None
        self._busy = False
        control, script = folder / "control", folder / "begin.py"
        values = {"control": control.name, "init": str(_PACKAGE / "__init__.py"), "package": str(_PACKAGE)}
        values |= {"version": loopstall.__version__, "folder": str(folder), "helper": helper}
        script.write_text(_BEGIN.format(threshold_ns=threshold_ns, **values), encoding="utf-8")
        self._listener = socket.socket(fileno=listening(control).detach())
        try:
            self._listener.setblocking(False)
            script.chmod(0o600)
            _give(process.pid, (*folder.iterdir(), folder))
            self._run(script)
        except BaseException:
            self._listener.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for one in (self._control, self._listener):
            if one is not None:
                one.close()

    def hear(self) -> None:
        """Takes what the process has said since the last time.

        Raises:
            InputError: it cannot watch itself, and why.
        """
        if self._control is None:
            self._accept()
        while self._control is not None and not self.ended:
            try:
                said = self._control.recv(_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                said = b""
            self._take(json.loads(said) if said else {"ended": True})

    def end(self) -> bool:
        """Has the process take everything back; returns whether it has."""
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.send(FAREWELL)
                self._control.shutdown(socket.SHUT_WR)
        if self.begun and self._ends_within(_END_S):
            return True
        with contextlib.suppress(InputError):  # it has ended, or takes no script any more
            self._run(_END)  # in the place of the first one, if that waits still
        if self._control is None:  # it has not begun, and will not
            return True
        return self._ends_within(_SCRIPT_S)

    def _ends_within(self, seconds: float) -> bool:
        due = time.monotonic() + seconds
        while not self.ended and time.monotonic() < due and self._process.alive:
            time.sleep(_PAUSE_S)
            with contextlib.suppress(InputError):
                self.hear()
            if self._busy:
                self._busy = False
                self._run(_END)
        return self.ended or not self._process.alive

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            control, _ = self._listener.accept()
            credentials = control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            if _CREDENTIALS.unpack(credentials)[0] == self._process.pid:
                control.setblocking(False)
                self._control = control
            else:
                control.close()

    def _take(self, message: dict[str, Any]) -> None:
        self.begun |= "begun" in message
        self._busy |= "busy" in message
        self.ended |= "ended" in message
        if "refused" in message:
            self.ended = True
            raise InputError(f"process {self._process.pid} cannot be watched from within: {message['refused']}")
        if "failed" in message:
            self.ended = True
            raise InputError(
                f"process {self._process.pid} cannot import loopstall from {_PACKAGE} ({message['failed']}): "
                "install it where that process may read it, or watch from outside, without --inject"
            )

    def _run(self, script: Path) -> None:
        """Has the main thread of the process run a script, as soon as it runs Python code."""
        pid = self._process.pid
        try:
            sys.remote_exec(pid, str(script))  # type: ignore[attr-defined,unused-ignore]  # from 3.14 on
        except PermissionError as error:
            raise InputError(
                f"the system does not let this process write into the memory of process {pid}: run as its user or as "
                "root, with the permission CAP_SYS_PTRACE in a container"
            ) from error
        except (OSError, RuntimeError) as error:
            if "not enabled" in str(error):
                raise InputError(
                    f"process {pid} was started with remote debugging disabled (PYTHON_DISABLE_REMOTE_DEBUG or "
                    "-X disable-remote-debug), or its Python built without it: watch it from outside, without --inject"
                ) from error
            raise InputError(f"process {pid} takes no script: {error}") from error


def _give(pid: int, paths: tuple[Path, ...]) -> None:
    """Hands files over to the user of a process, where that is another one and this is root."""
    said = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    users, groups = (
        next(line.split() for line in said.splitlines() if line.startswith(name)) for name in ("Uid:", "Gid:")
    )
    user, group = int(users[2]), int(groups[2])  # the effective ones
    if os.geteuid() == 0 and user != 0:
        for path in paths:
            os.chown(path, user, group, follow_symlinks=False)
