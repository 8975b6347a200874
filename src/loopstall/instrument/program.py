"""Runs a program in this process, as Python would."""

from pathlib import Path
import runpy
import signal
import sys
import traceback
from types import TracebackType

from loopstall.errors import InputError, Terminated

__all__ = ["run"]


def run(module: str | None, words: tuple[str, ...]) -> int:
    """Runs a script, or a module as ``python -m`` does, and returns its exit code.

    Args:
        module: its name; None for a script.
        words: the script and its arguments, or those of the module.

    Raises:
        InputError: there is no such module, or nothing in it to run.
    """
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
        return 128 + (interrupt.number if isinstance(interrupt, Terminated) else signal.SIGINT)
    except Exception as error:  # the program's own, or it was never reached
        trace = _of_program(error)
        if trace is None and isinstance(error, ImportError | OSError):
            what = f"-m {module}" if module is not None else words[0]
            raise InputError(f"cannot run {what}: {error}; name a script, or a module with -m") from error
        traceback.print_exception(type(error), error, trace)
        return 1
    return 0


def _of_program(error: BaseException) -> TracebackType | None:
    """Returns the program's traceback without our own frames in front, None where there is none of it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in {__file__, runpy.__file__, "<frozen runpy>"}:
        trace = trace.tb_next
    return trace
