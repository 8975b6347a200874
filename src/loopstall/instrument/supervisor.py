"""Runs a program as a child process that behaves as it does by itself, and outlives it.

The program has this process' terminal, session, process group and open files. What is typed reaches it from the
terminal; what is sent to this process alone is passed on.
"""

from collections.abc import Callable, Mapping
import contextlib
from dataclasses import dataclass, field
import os
from pathlib import Path
import signal
import subprocess
import sys

from loopstall.errors import InputError

__all__ = ["Terminal", "interpreter", "supervise"]

_TICK_S = 0.1
_STOPS = [getattr(signal, name) for name in ("SIGTSTP", "SIGTTIN", "SIGTTOU") if hasattr(signal, name)]
_OWN = ("SIGKILL", "SIGSTOP", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")
"""Signals that are not passed on: nobody can catch them, or they are about this process' own code."""
_ELSEWHERE = ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
"""Signals that are passed on where the system does not say who sent one; the terminal's own are not among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """A program's part of the terminal.

    Args:
        streams: descriptors of this process that it has in the place of its own, like 1 for stdout.
        pausing: entered while this process is stopped together with it.
    """

    streams: Mapping[int, int] = field(default_factory=dict)
    pausing: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext


def interpreter() -> list[str]:
    """Returns the command of this Python, with the flags that it was started with itself."""
    if not sys.executable:
        raise InputError("this Python does not know its own executable; start loopstall with another one")
    unbuffered = getattr(sys.__stdout__, "write_through", False)
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001  # as multiprocessing
    return [sys.executable, *flags, *(["-u"] if unbuffered else [])]


def supervise(
    command: list[str],
    variables: dict[str, str],
    *,
    started: Callable[[int], object],
    meanwhile: Callable[[], object],
    terminal: "Terminal | None" = None,
) -> int:
    """Runs a program until it ends, and returns its exit code: below zero for the signal that ended it.

    Args:
        command: its words; the first is the path of an executable.
        variables: of its environment, besides those of this process.
        started: called with the number of its process.
        meanwhile: called ten times a second while it runs.
        terminal: what it has of the terminal; all that this process has for None.

    Raises:
        InputError: it cannot be started.
    """
    run = _pass_on if sys.platform == "linux" else _pass_on_elsewhere
    return run(command, {**os.environ, **variables}, started, meanwhile, terminal or Terminal())


def _pass_on(
    command: list[str],
    environ: dict[str, str],
    started: Callable[[int], object],
    meanwhile: Callable[[], object],
    terminal: Terminal,
) -> int:
    """Supervises where the system says who has sent a signal (Linux)."""
    awaited = signal.valid_signals() - {getattr(signal, name) for name in _OWN if hasattr(signal, name)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, nobody hears of a child's end
    child, typed = 0, False
    try:
        child = _spawned(command, environ, before, terminal.streams)
        started(child)
        while True:
            sent = signal.sigtimedwait(awaited, _TICK_S)
            if sent is not None and sent.si_signo != signal.SIGCHLD:
                typed |= sent.si_signo == signal.SIGTSTP
                _hear(sent, child)
                continue
            meanwhile()
            ended, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
            if ended and os.WIFSTOPPED(status):
                with terminal.pausing():
                    _stop_too(os.WSTOPSIG(status), typed=typed)
                typed = False
            elif ended:
                child = 0
                return os.waitstatus_to_exitcode(status)
    finally:
        if child:
            _send(child, signal.SIGKILL)
            os.waitpid(child, 0)
        while signal.sigtimedwait(awaited, 0) is not None:  # they were for the program, which has ended
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _spawned(
    command: list[str], environ: dict[str, str], mask: set[int | signal.Signals], streams: Mapping[int, int]
) -> int:
    """Starts a child with every signal as this process found it.

    The kernel takes the thread that does this for the child's parent: it has to live as long as this process.
    """
    changed = [number for name in ("SIGPIPE", "SIGXFSZ") if (number := getattr(signal, name, None)) is not None]
    actions = [(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in streams.items()]
    try:
        return os.posix_spawn(command[0], command, environ, file_actions=actions, setsigmask=mask, setsigdef=changed)
    except OSError as error:
        raise InputError(f"cannot start {command[0]}: {error.strerror or error}") from error


def _hear(sent: signal.struct_siginfo, child: int) -> None:
    """Passes a signal on where somebody sent it to this process: not the program, which reaches itself.

    The kernel's own go to all processes that have the terminal, but for the end of the terminal, of which only the
    leader of the session hears. Where the shell had both go on, the program does already.
    """
    if sent.si_code > 0:
        due = sent.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid()
    elif sent.si_signo == signal.SIGCONT:
        due = os.waitid(os.P_PID, child, os.WCONTINUED | os.WNOHANG) is None
    else:
        due = not _descends(sent.si_pid, child)
    if due:
        _send(child, sent.si_signo)


def _descends(process: int, ancestor: int) -> bool:
    """Says whether a process is another one, or was started by it or by what it has started."""
    while process > 1:
        if process == ancestor:
            return True
        try:
            said = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
            process = int(said.rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):  # it has ended
            return False
    return False


def _stop_too(number: int, *, typed: bool) -> None:
    """Stops as the program has been stopped from the terminal, so that the shell sees it, until both go on.

    Args:
        number: the signal that has stopped it; a program that is told to stop may take SIGSTOP in the end.
        typed: whether it was told to.
    """
    typed |= signal.sigtimedwait([signal.SIGTSTP], 0) is not None  # left there, it would stop this process twice
    if typed or number in _STOPS:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])


def _send(child: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(child, number)


def _opened(command: list[str], environ: dict[str, str], streams: Mapping[int, int]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, env=environ, close_fds=False, stdout=streams.get(1), stderr=streams.get(2))
    except OSError as error:
        raise InputError(f"cannot start {command[0]}: {error.strerror or error}") from error


def _pass_on_elsewhere(
    command: list[str],
    environ: dict[str, str],
    started: Callable[[int], object],
    meanwhile: Callable[[], object],
    terminal: Terminal,
) -> int:
    """Supervises where nothing says who has sent a signal: what is typed is the program's alone."""
    numbers = [getattr(signal, name) for name in (*_ELSEWHERE, "SIGINT", "SIGBREAK") if hasattr(signal, name)]
    typed = [getattr(signal, name) for name in ("SIGINT", "SIGBREAK") if hasattr(signal, name)]

    processes: list[subprocess.Popen[bytes]] = []

    def heard(number: int, _frame: object) -> None:
        if number not in typed:
            for process in processes:
                process.send_signal(number)

    before = {number: signal.signal(number, heard) for number in numbers}
    try:
        process = _opened(command, environ, terminal.streams)
        processes.append(process)
        started(process.pid)
        while True:
            meanwhile()
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(_TICK_S)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        for number, handler in before.items():
            signal.signal(number, handler)
