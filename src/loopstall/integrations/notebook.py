"""Stalls in IPython and Jupyter: ``%load_ext loopstall``, then ``%%stalls`` at the top of a cell.

``%%stalls`` is no cell magic: IPython hands those their cell as text, and ``await`` in it would be an error. Its line
is replaced by a call that begins a watch, and the cell runs as any other does, in the loop of the kernel.
"""

from collections.abc import Callable
import linecache
import time
from typing import Any

from loopstall.analysis.culprits import Blame, Culprit, blame
from loopstall.monitor.context_manager import Watch
from loopstall.records import Frame
from loopstall.records.clock import NS_PER_S
from loopstall.records.units import DURATION
from loopstall.report.cell_table import CellStalls

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

_CALL = "get_ipython().run_line_magic('stalls', {!r})\n"
_CELL = "--cell"
_THRESHOLD = "10ms"
_USAGE = "write %%stalls or %%stalls 20ms at the top of a cell, %stalls on, %stalls on 20ms, %stalls off or %stalls"


class _Magic:
    """``%stalls`` and ``%%stalls`` in one shell.

    Args:
        shell: IPython's.
        show: displays a result below the cell.
    """

    def __init__(self, shell: Any, show: Callable[[CellStalls], object]) -> None:
        self._shell = shell
        self._show = show
        self._watch: Watch | None = None
        self._threshold_s = 0.0
        self._began_s = 0.0
        self._always = ""
        self._asked = False
        self._last: CellStalls | None = None

    def replaced(self, lines: list[str]) -> list[str]:
        """Replaces a cell's first line ``%%stalls`` by the call that begins a watch; other lines keep their numbers."""
        words = lines[0].split() if lines else []
        if not words or words[0] != "%%stalls":
            return lines
        return [_CALL.format(" ".join((_CELL, *words[1:]))), *lines[1:]]

    def run(self, line: str) -> CellStalls | None:
        """Does what ``%stalls`` is called with.

        Raises:
            UsageError: it is called with something else.
        """
        words = line.split()
        if not words:
            return self._last
        if words[0] == _CELL and len(words) <= 2:  # noqa: PLR2004  # with a threshold
            self._asked = True
            self._begin(words[1] if len(words) > 1 else _THRESHOLD)
        elif words[0] == "on" and len(words) <= 2:  # noqa: PLR2004
            always = words[1] if len(words) > 1 else _THRESHOLD
            _seconds(always)
            self._always = always
        elif words == ["off"]:
            self._always = ""
        else:
            raise _usage_error(f"%stalls {line.strip()} is not understood: {_USAGE}")
        return None

    def before_cell(self, *_about: object) -> None:
        """Begins to watch a cell, where all of them are watched."""
        if self._always:
            self._begin(self._always)

    def after_cell(self) -> None:
        """Ends the watch of a cell and shows what it saw; a cell without a stall is told of where it was asked for."""
        watch, self._watch = self._watch, None
        if watch is None:
            return
        took_s = time.perf_counter() - self._began_s
        watch.__exit__(None, None, None)
        self._last = self._result(watch, took_s)
        if self._last.culprits or self._asked:
            self._show(self._last)
        self._asked = False

    def end(self) -> None:
        """Watches no more."""
        self._always = ""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.__exit__(None, None, None)

    def _begin(self, threshold: str) -> None:
        self._threshold_s = _seconds(threshold)
        if self._watch is not None:  # of `%stalls on`: the cell names a threshold of its own
            self._watch.__exit__(None, None, None)
        self._began_s = time.perf_counter()
        self._watch = Watch(self._threshold_s)
        self._watch.__enter__()

    def _result(self, watch: Watch, took_s: float) -> CellStalls:
        culprits: dict[Blame, Culprit] = {}
        for stall in watch:
            put_down = blame(stall)
            culprits.setdefault(put_down, Culprit(blame=put_down)).add(stall, stall.duration_ns, "")
        return CellStalls(
            culprits=tuple(sorted(culprits.values(), key=lambda one: -one.longest_ns)),
            count=watch.count,
            stalled_ns=round(watch.stalled * NS_PER_S),
            took_ns=round(took_s * NS_PER_S),
            threshold_ns=round(self._threshold_s * NS_PER_S),
            availability=watch.availability if watch.watched else None,
            name_of=self._name_of,
            source_of=_source_of,
        )

    def _name_of(self, file: str) -> str:
        """Returns the name of a cell, "" for a file that is none."""
        name = self._shell.compile.format_code_name(file)
        return str(name[1]) if name is not None else ""


def _source_of(frame: Frame) -> str:
    return linecache.getline(frame.file, frame.line).strip()


def _seconds(text: str) -> float:
    try:
        return DURATION.parse(text)
    except ValueError as error:
        raise _usage_error(f"the threshold {error}") from None


def _magic_of(ipython: Any) -> _Magic | None:
    """Returns what was added to a shell, None where nothing was."""
    known = getattr(ipython.magics_manager.magics["line"].get("stalls"), "__self__", None)
    return known if isinstance(known, _Magic) else None


def _usage_error(message: str) -> Exception:
    from IPython.core.error import UsageError  # only ever called by IPython

    made: Exception = UsageError(message)
    return made


def load_ipython_extension(ipython: Any) -> None:
    """Adds ``%stalls`` and ``%%stalls`` to a shell of IPython: ``%load_ext loopstall``.

    Args:
        ipython: the shell.
    """
    if _magic_of(ipython) is not None:
        return
    from IPython.display import display  # it is there: it calls this

    magic = _Magic(ipython, display)
    ipython.register_magic_function(magic.run, "line", "stalls")
    ipython.input_transformer_manager.line_transforms.insert(0, magic.replaced)  # before the one for cell magics
    ipython.events.register("pre_run_cell", magic.before_cell)
    ipython.events.register("post_execute", magic.after_cell)


def unload_ipython_extension(ipython: Any) -> None:
    """Takes both away: ``%unload_ext loopstall``.

    Args:
        ipython: the shell.
    """
    magic = _magic_of(ipython)
    if magic is None:
        return
    magic.end()
    ipython.magics_manager.magics["line"].pop("stalls", None)
    ipython.input_transformer_manager.line_transforms.remove(magic.replaced)
    ipython.events.unregister("pre_run_cell", magic.before_cell)
    ipython.events.unregister("post_execute", magic.after_cell)
