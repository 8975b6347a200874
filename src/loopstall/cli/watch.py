"""``loopstall watch``."""

from collections.abc import Callable, Iterator
import contextlib
import json
from pathlib import Path
import runpy
import signal
import sys
import threading
import traceback
from typing import IO, Any

import click

from loopstall.cli.entry import Ended
from loopstall.cli.types import DURATION
from loopstall.clock import NS_PER_S, now_ns
from loopstall.errors import InputError
from loopstall.metrics import format_ns
from loopstall.monitor import everywhere
from loopstall.monitor.core import Monitor
from loopstall.records import DESCHEDULED, Frame, Stall
from loopstall.report.stalls import Culprit, described, in_a_line, worst_culprits

__all__ = ["command"]

_WORST = 10


_SETTINGS = {"ignore_unknown_options": True, "allow_interspersed_args": False}  # the rest is the program's


@click.command("watch", context_settings=_SETTINGS)
@click.option("--threshold", type=DURATION, default="20ms", show_default=True, help="From when a lag is a stall.")
@click.option("--fail-over", type=DURATION, help="Exit 1 where a stall that the machine did not make was longer.")
@click.option("--json-lines", type=click.Path(path_type=Path), help="File to append each stall to, as JSON in a line.")
@click.option("--stacks", is_flag=True, help="Print the whole stack of each stall, and what to do.")
@click.option("-m", "module", help="Run a module, as python -m does.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="(SCRIPT | -m MODULE) [ARGS]...")
def command(module: str | None, words: tuple[str, ...], **options: Any) -> int:
    """Run a program unchanged and tell of each stall of its event loops, with its line and its cause.

    Loops of asyncio, uvloop and trio are watched in every thread. The program's own exit code is passed on, unless
    --fail-over is exceeded. Processes that the program starts are not watched.
    """
    if module is None and not words:
        raise click.UsageError("say which program to run: a script, or -m and a module")
    if module is None and not Path(words[0]).exists():
        raise InputError(f"{words[0]} does not exist; name a script, or a module with -m")
    fail_over, file = options["fail_over"], options["json_lines"]
    with contextlib.ExitStack() as stack:
        lines = stack.enter_context(_opened(file)) if file is not None else None
        account = _Account(lines, stacks=options["stacks"])
        stack.callback(account.summary)
        stack.enter_context(_watching(round(options["threshold"] * NS_PER_S), account.add))
        status = _run(module, words)
    if fail_over is not None and account.longest_ns > fail_over * NS_PER_S:
        return 1
    return status


class _Account:
    """What is told of the stalls, as they end and at the end.

    Args:
        lines: where each is appended as JSON, if anywhere.
        stacks: whether to tell all of each.
    """

    def __init__(self, lines: IO[str] | None, *, stacks: bool) -> None:
        self.longest_ns = 0
        self._lines = lines
        self._stacks = stacks
        self._culprits: dict[Frame | None, Culprit] = {}
        self._count = 0
        self._total_ns = 0
        self._lock = threading.Lock()
        self._began_ns = now_ns()

    def add(self, stall: Stall) -> None:
        """Tells of a stall; called in the loop's thread."""
        with self._lock:
            self._count += 1
            self._total_ns += stall.duration_ns
            if stall.cause != DESCHEDULED:
                self.longest_ns = max(self.longest_ns, stall.duration_ns)
            frame = stall.holder or stall.culprit
            known = self._culprits.setdefault(frame, Culprit(frame=frame, cause=stall.cause))
            known.add(stall.duration_ns)
            text = described(stall, stall.duration_ns) if self._stacks else in_a_line(stall)
            with contextlib.suppress(OSError, ValueError):  # a program may have closed its stderr
                _say(text)
            if self._lines is not None:
                with contextlib.suppress(OSError):
                    self._lines.write(json.dumps(_plain(stall)) + "\n")
                    self._lines.flush()

    def summary(self) -> None:
        """Tells what there was in all."""
        wall_ns = now_ns() - self._began_ns
        said = [f"{self._count} stalls, {format_ns(self._total_ns)} of {format_ns(wall_ns)}"]
        said += [f"  {item.line()}" for item in worst_culprits(self._culprits.values())[:_WORST]]
        with contextlib.suppress(OSError, ValueError):
            for text in said:
                _say(text)


def _say(text: str) -> None:
    """Writes to the real stderr, whatever the program has done to sys.stderr."""
    if sys.__stderr__ is not None:
        sys.__stderr__.write(f"loopstall: {text}\n")
        sys.__stderr__.flush()


def _plain(stall: Stall) -> dict[str, Any]:
    return {
        "start_ns": stall.start_ns,
        "duration_ns": stall.duration_ns,
        "cause": stall.cause,
        "rule": stall.rule,
        "culprit": str(stall.culprit) if stall.culprit is not None else None,
        "holder": str(stall.holder) if stall.holder is not None else None,
        "task": stall.task,
        "coroutine": stall.coroutine,
        "stack": [str(frame) for frame in stall.stack],
        "thread": threading.current_thread().name,
    }


@contextlib.contextmanager
def _watching(threshold_ns: int, on_stall: Callable[[Stall], object]) -> Iterator[None]:
    """Has every loop that begins to run while this is entered watched."""

    def begin(loop: Any) -> Callable[[], object]:
        monitor = Monitor(threshold_ns=threshold_ns, kept=1, on_stall=on_stall)
        monitor.start(loop)
        return monitor.stop

    everywhere.add(begin)
    try:
        yield
    finally:
        everywhere.discard(begin)


def _opened(path: Path) -> IO[str]:
    try:
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; choose another file") from error


def _run(module: str | None, words: tuple[str, ...]) -> int:
    """Runs the program as Python would, and returns its exit code."""
    try:
        if module is not None:
            sys.argv = [module, *words]
            sys.path.insert(0, "")
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            sys.argv = list(words)
            sys.path.insert(0, str(Path(words[0]).resolve().parent))
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        sys.stderr.write(f"{ended.code}\n")
        return 1
    except KeyboardInterrupt as interrupt:
        return 128 + (interrupt.number if isinstance(interrupt, Ended) else signal.SIGINT)
    except ImportError as error:
        if module is not None and error.name is None and error.path is None:  # of runpy itself
            raise InputError(f"cannot run -m {module}: {error}") from error
        _traceback(error)
        return 1
    except Exception as error:  # noqa: BLE001  # the program's own
        _traceback(error)
        return 1
    return 0


def _traceback(error: BaseException) -> None:
    """Prints the program's traceback without our own frames in front."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in {__file__, runpy.__file__, "<frozen runpy>"}:
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)
