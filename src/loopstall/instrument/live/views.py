"""The live views of one watch: those that were asked for, or none."""

import contextlib
from dataclasses import replace
from pathlib import Path
import sys
from typing import TYPE_CHECKING, Self

from loopstall.analysis.live import LiveView
from loopstall.instrument.child import LAG
from loopstall.instrument.live.board import Board
from loopstall.instrument.supervisor import Terminal
from loopstall.records import StallEvent
from loopstall.report.output import say

if TYPE_CHECKING:
    from loopstall.instrument.live.output import KeptOutput
    from loopstall.instrument.live.screen import Screen

__all__ = ["Views"]

_HANG_AFTER_S = 0.25  # from when on a stall is shown while it lasts
_SWITCH_S = 0.0005
_LINES = 6  # of the program's output


class Views:
    """The views that the options ask for, from when it is entered.

    Args:
        live: whether there is one on the terminal.
        serve: the address of one over HTTP; None for none.
        title: the name of the watched program.
        threshold_ns: the span without progress from which there is a stall.
        runs: whether the program is run, and its output kept away from the view.
    """

    def __init__(self, *, live: bool, serve: str | None, title: str, threshold_ns: int, runs: bool) -> None:
        self.on_terminal = live
        self._serve = serve
        self._board = Board(title=title, threshold_ns=threshold_ns)
        self._runs = runs
        self._output: KeptOutput | None = None
        self._screen: Screen | None = None
        self._ends = contextlib.ExitStack()
        self._notes: list[str] = []
        self._address = ""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as ends:
            ends.callback(self._board.close)
            if self.on_terminal:
                from loopstall.instrument.live.screen import check_terminal  # a watch without a view starts without it

                check_terminal()
            if self._serve is not None:
                self._open_server(self._serve, ends)
            if self.wanted and not self._runs:  # the main thread looks at the loops, and waits for no view
                ends.callback(sys.setswitchinterval, sys.getswitchinterval())
                sys.setswitchinterval(_SWITCH_S)
            if self.on_terminal:
                self._open_screen(ends)
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ends.close()

    def _open_server(self, address: str, ends: contextlib.ExitStack) -> None:
        from loopstall.instrument.live.guard import address_of  # as above
        from loopstall.instrument.live.server import LiveServer

        where = address_of(address)
        server = LiveServer(where, self._board)
        ends.callback(server.close)
        self._address = server.url
        others = f" (elsewhere with this machine's name in the place of {where.host})" if where.is_any else ""
        _say(f"live view at {server.url}{others}")

    def _open_screen(self, ends: contextlib.ExitStack) -> None:
        from loopstall.instrument.live.output import KeptOutput  # as above
        from loopstall.instrument.live.screen import Screen

        ends.callback(self._say_notes)
        if self._runs:
            self._output = KeptOutput()
            ends.callback(self._output.close)
        self._screen = Screen(self._view)
        ends.callback(self._screen.close)
        if not self._runs:
            self._screen.run_beside()

    @property
    def wanted(self) -> bool:
        """True where there is a view at all."""
        return self.on_terminal or self._serve is not None

    @property
    def terminal(self) -> Terminal:
        """The part of the terminal that is left to the program."""
        if self._screen is None or self._output is None:
            return Terminal()
        return Terminal(streams=self._output.streams, pausing=self._screen.pausing)

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags of the program's Python."""
        return self._output.flags if self._output is not None else ()

    def hang_after_s(self, asked_s: float) -> float:
        """Returns from when on a stall is to be reported while it lasts, given from when it is to be printed."""
        return min(asked_s or _HANG_AFTER_S, _HANG_AFTER_S) if self.wanted else asked_s

    def lags_in(self, folder: Path) -> None:
        """Has the processes of a watch hand over their lag in its folder, if anybody wants to see it."""
        if not self.wanted:
            return
        (folder / LAG).mkdir(mode=0o700)
        self._board.lags_in(folder / LAG)

    def stall(self, seen: StallEvent) -> None:
        """Takes a stall that has ended."""
        if self.wanted:
            self._board.stall(seen)

    def hang(self, seen: StallEvent) -> None:
        """Takes a stall that goes on."""
        if self.wanted:
            self._board.hang(seen)

    def note(self, text: str) -> None:
        """Takes a sentence about the watch, and prints it where no view has the terminal."""
        self._board.note(text)
        if self.on_terminal:
            self._notes.append(text)
        else:
            _say(text)

    def tick(self) -> None:
        """Draws what is due."""
        if self._output is not None:
            self._output.trim()
        if self._screen is not None and self._runs:
            self._screen.tick()

    def _view(self) -> LiveView:
        output = self._output.last_lines(_LINES) if self._output is not None else ()
        return replace(self._board.view(), address=self._address, output=output)

    def _say_notes(self) -> None:
        for text in self._notes:
            _say(text)


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        say(f"loopstall: {text}", err=True)
