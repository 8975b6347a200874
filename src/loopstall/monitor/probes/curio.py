"""curio: timed where its kernel asks the selector for events."""

from collections.abc import Callable
import contextlib
import sys
from typing import Any

from loopstall.monitor.probes.base import NEVER_S, Listener
from loopstall.monitor.probes.selector import SelectorProbe
from loopstall.records.clock import Clock

__all__ = ["CurioProbe", "CurioRun"]

_RUNNING = "RUNNING"
_SELECT = "selector_select"


class CurioRun:
    """A kernel of curio, with what the monitor asks of a loop.

    Args:
        kernel: the one that runs in this thread for None.

    Raises:
        RuntimeError: no kernel of curio runs in this thread, or it is none that can be timed.
    """

    def __init__(self, kernel: Any = None) -> None:
        if kernel is None:
            meta = sys.modules.get("curio.meta")
            kernel = getattr(meta and meta._locals, "kernel", None)  # noqa: SLF001  # curio has no public name for it
            if kernel is None:
                raise RuntimeError("no kernel of curio runs in this thread")
        main_loop = kernel._runner  # noqa: SLF001
        variables = dict(zip(main_loop.__code__.co_freevars, main_loop.__closure__ or (), strict=True))
        if _SELECT not in variables:
            raise RuntimeError("the kernel of this version of curio cannot be timed")
        self.kernel: Any = kernel
        self.select: Any = variables[_SELECT]
        """The variable of the kernel's main loop that holds its selector's ``select``."""
        self.ended = False

    def is_running(self) -> bool:
        """True while it goes on."""
        return not self.ended

    def call_soon_threadsafe(self, callback: Callable[[], object]) -> None:
        """Calls a function at once: what the monitor asks for here is one assignment, which needs no thread's turn."""
        if self.ended:
            raise RuntimeError("the kernel of curio has been shut down")
        callback()

    def current_task(self) -> tuple[str, str]:
        """Returns the names of the running task and of its coroutine; any thread may ask."""
        for task in tuple(self.kernel._tasks.values()):  # noqa: SLF001
            if task.state == _RUNNING:
                return f"{task.name}-{task.id}", getattr(task.coro, "__qualname__", "")
        raise RuntimeError("no task of curio is running")


class CurioProbe(SelectorProbe):
    """Times every cycle of a kernel of curio, around the ``select`` of its selector.

    A kernel looks its selector's ``select`` up once, when it begins, and keeps it in a variable of its main loop. The
    timing takes its place in that variable, which works for a kernel that runs already. What curio offers for this, its
    activations, sees the tasks' turns and not the waits between them.

    Args:
        run: whose.
        threshold_ns: how long a span is a stall.
        floor_ns: how long a span is worth telling.
        clock: monotonic time in ns.
        listener: who is told.
    """

    def __init__(self, run: CurioRun, *, threshold_ns: int, floor_ns: int, clock: Clock, listener: Listener) -> None:
        super().__init__(
            run.kernel._selector,  # noqa: SLF001
            threshold_ns=threshold_ns, floor_ns=floor_ns, clock=clock, listener=listener,
        )  # fmt: skip
        self._run = run

    def install(self) -> None:
        """Puts the timing in the place of what the kernel calls."""
        original = self._run.select.cell_contents
        self._select = self.timed(original)
        self._select.below = original  # for whoever is taken off
        self._run.kernel._call_at_shutdown(self._ended)  # noqa: SLF001
        self.restart()
        self._run.select.cell_contents = self._select

    def remove(self) -> None:
        """Takes the timing off; what was put around it since goes through it, and leaves it out in the end."""
        self.retire()
        with contextlib.suppress(AttributeError, ValueError):  # it has been shut down
            self._run.kernel._shutdown_funcs.remove(self._ended)  # noqa: SLF001
        top: Any = self._run.select.cell_contents
        if top is self._select:
            self._run.select.cell_contents = top.below
            return
        while hasattr(top, "below"):
            if top.below is self._select:
                top.below = self._select.below
            top = top.below

    def _ended(self) -> None:
        """The kernel has been shut down."""
        self._busy_since_ns = 0
        self._listener.late_s[0] = NEVER_S
        self._run.ended = True
        self._listener.rest()
