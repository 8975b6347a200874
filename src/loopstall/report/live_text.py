"""A live view on a terminal."""

from bisect import bisect_right
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loopstall.analysis.live import LiveView, LoopView
from loopstall.records import Frame, StallEvent
from loopstall.records.clock import NS_PER_MS, NS_PER_S
from loopstall.records.frames import is_librarys
from loopstall.records.units import format_ns
from loopstall.report.page.icicle import source_line
from loopstall.report.stall_text import blamed
from loopstall.report.text import place, printable

__all__ = ["CAUSE_COLORS", "drawn", "sparkline"]

CAUSE_COLORS = {
    "blocking-call": "blue", "cpu-python": "red", "cpu-native": "magenta", "cpu": "red", "gil-wait": "yellow",
    "gc": "green", "descheduled": "dim",
}  # fmt: skip
_BARS = "▁▂▃▄▅▆▇█"
_BOUNDS = tuple(
    number * NS_PER_MS for number in (3, 10, 30, 100, 300, 1000, 3000)
)  # from which on the next bar is drawn
_NONE, _UNWATCHED = "·", " "
_INDENT = 2
_ENDS = " · Ctrl-C ends it"
_LEAST_CHART, _MOST_CHART = 20, 60
_BESIDE_CHART = 24  # columns of the two figures, and between
_WORST_COLUMN = 10
_NARROW_CHART = 10
_MOST_NAME, _LEAST_NAME = 30, 8
_FEW_ROWS = 3
_FIXED_ROWS, _FIXED_ROWS_FLAT = 12, 6  # titles and the like
_NARROW, _WIDE = 55, 70  # columns from which on a table has causes, and other figures than the longest
_FLAT = 18  # lines from which on there are blank ones, and titles of columns
_LEAST_FOR_OUTPUT = 14


def drawn(view: LiveView, *, width: int, height: int) -> RenderableType:
    """Draws a view that fits into a terminal.

    Args:
        view: the watch at a moment.
        width: of the terminal, in columns.
        height: in lines.
    """
    flat = height < _FLAT
    blocked = [loop for loop in view.loops if loop.blocked is not None][: max(1, height // 12)]
    output = view.output[-max(1, height // 8) :] if height >= _LEAST_FOR_OUTPUT else ()
    rows = height - (_FIXED_ROWS_FLAT if flat else _FIXED_ROWS) - 2 * max(1, len(blocked))
    rows -= (len(output) + 2 if output else 0) + len(_address(view, width))
    notes = view.notes[-2:] if rows > 2 * _FEW_ROWS else ()
    rows = max(2, rows - (len(notes) + 1 if notes else 0))
    loops = max(1, min(len(view.loops), rows // 2))
    rows -= loops
    latest = view.latest[: rows // 2 - 2] if rows >= 2 * _FEW_ROWS else ()
    worst = rows - (len(latest) + 2 if latest else 0)
    sections: list[list[Text | Table]] = [
        [_head(view, width), *_address(view, width)],
        _lags(view, width, loops, flat=flat),
        [_title("Blocked now", "bold red" if blocked else "bold"), *_blocked(view, blocked, width)],
        [_title("Worst so far"), *_culprits(view, width, worst, flat=flat)],
        [_title("Latest stalls"), *_latest(latest, width)] if latest else [],
        [_line(note, width, style="dim") for note in notes],
        [_title("Output of the program"), *(_line(text, width) for text in output)] if output else [],
    ]
    parts: list[Text | Table] = []
    for section in filter(None, sections):
        parts += section if flat or not parts else [Text(), *section]
    return Group(*(Padding(part, (0, 0, 0, _INDENT)) if isinstance(part, Table) else part for part in parts))


def sparkline(loop: LoopView, seconds: int, threshold_ns: int) -> Text:
    """Draws the lag of the last seconds, a sign a second: each bar is some three times the lag of the lower one.

    Args:
        loop: whose lag.
        seconds: how many are drawn.
        threshold_ns: from which lag on a bar is red.
    """
    text = Text()
    for lag in loop.lags_ns[-seconds:]:
        text.append(_bar(lag), style="" if not lag else "bold red" if lag >= threshold_ns else "green")
    return text


def _bar(lag_ns: int | None) -> str:
    if lag_ns is None:
        return _UNWATCHED
    if not lag_ns:
        return _NONE
    return _BARS[bisect_right(_BOUNDS, lag_ns)]


def _head(view: LiveView, width: int) -> Text:
    seconds = view.watched_ns // NS_PER_S
    clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    number = f"{view.count} stall{'' if view.count == 1 else 's'}"
    stuck_ns = max((loop.blocked.for_ns for loop in view.loops if loop.blocked is not None), default=0)
    if view.count:
        told = f"{number}, {format_ns(view.total_ns)} in all, {format_ns(view.longest_ns)} at worst"
    else:
        told = f"blocked for {format_ns(stuck_ns)} by now" if stuck_ns else f"no stall over {_short(view.threshold_ns)}"
    text, line = Text(printable(view.title), style="bold", no_wrap=True), Text(f"{clock} · {told}", "not bold dim")
    text.truncate(width, overflow="ellipsis")
    if len(line) + len(_ENDS) <= width:
        line.append(_ENDS)
    line.truncate(width, overflow="ellipsis")
    return text.append("\n").append(line)


def _address(view: LiveView, width: int) -> list[Text]:
    """Draws the address of the page, whole."""
    text = printable(f"live view at {view.address}") if view.address else ""
    return [Text(text[at : at + width], "dim", no_wrap=True) for at in range(0, len(text), width)]


def _title(text: str, style: str = "bold") -> Text:
    return Text(text, style=style, no_wrap=True)


def _short(ns: int) -> str:
    """Writes a bound, which is no measured figure."""
    return format_ns(ns).replace(".00 ", " ").replace(".0 ", " ")


def _lags(view: LiveView, width: int, most: int, *, flat: bool) -> list[Text | Table]:
    """Draws the lag of each loop as it is now and was over the last minute; without titles of columns where flat."""
    name = min(_MOST_NAME, max((len(_name(loop)) for loop in view.loops[:most]), default=0))
    room = width - _INDENT - name - _BESIDE_CHART
    with_worst = room >= _LEAST_CHART
    if not with_worst:
        room += _WORST_COLUMN
        name = max(_LEAST_NAME, name - max(0, _NARROW_CHART - room))
    chart = min(_MOST_CHART, max(_NARROW_CHART, room))
    if not view.loops:
        return [_title("Event-loop lag"), _line("no event loop has been seen so far", width, style="dim")]
    floor = _short(max(loop.floor_ns for loop in view.loops))
    table = _table((name, "left"), (8, "right"), *([(8, "right")] if with_worst else []), (chart, "left"))
    names = "now", *(["worst"] if with_worst else []), f"{'by second, the ' if with_worst else ''}last {chart} s"
    if not flat:
        table.add_row("", *(Text(name, "dim") for name in names))
    for loop in view.loops[:most]:
        worst = [_lag(loop.longest_ns, loop, view.threshold_ns)] if with_worst else []
        table.add_row(
            Text(_name(loop), overflow="ellipsis", no_wrap=True),
            Text("no loop", "dim") if loop.runs is False else _lag(loop.now_ns, loop, view.threshold_ns),
            *worst,
            sparkline(loop, chart, view.threshold_ns),
        )
    more = len(view.loops) - most
    rest = [_line(f"and {more} more loop{'' if more == 1 else 's'}", width, style="dim")] if more > 0 else []
    said = ", ".join(names) if flat else f"longest wait of a due callback in the last minute; · under {floor}"
    title = _title("Event-loop lag").append(f"  {said}", style="not bold dim")
    title.truncate(width, overflow="ellipsis")
    return [title, table, *rest]


def _name(loop: LoopView) -> str:
    thread = "" if loop.thread in {"", "MainThread"} else f" {loop.thread}"
    return printable(f"{loop.process}{thread}")


def _lag(lag_ns: int | None, loop: LoopView, threshold_ns: int) -> Text:
    if lag_ns is None:
        return Text("-", "dim")
    if not lag_ns:
        return Text(f"<{_short(loop.floor_ns)}", "green")
    return Text(format_ns(lag_ns), "bold red" if lag_ns >= threshold_ns else "green")


def _blocked(view: LiveView, loops: Sequence[LoopView], width: int) -> list[Text | Table]:
    """Draws the stalls that go on, with the user's line."""
    if not loops:
        return [_line("nothing" if view.loops else "-", width, style="dim")]
    table, room = _stall_table(width)
    for loop in loops:
        assert loop.blocked is not None  # the caller's choice
        seen = loop.blocked.seen
        where = _where(seen, room).append(f"  {_name(loop)}", "dim")
        _add(table, Text(format_ns(loop.blocked.for_ns), "bold red"), _cause(seen.stall.cause), where)
        source = source_line(seen.blamed.file, seen.blamed.line) if seen.blamed is not None else ""
        if source:
            code = Text(printable(source), "italic dim", no_wrap=True, overflow="ellipsis")
            table.add_row(*[""] * (len(table.columns) - 1), code)
    return [table]


def _culprits(view: LiveView, width: int, most: int, *, flat: bool) -> list[Text | Table]:
    """Draws the worst lines so far; without titles of columns where flat."""
    if not view.culprits:
        blocked = any(loop.blocked is not None for loop in view.loops)
        return [_line("none that has ended" if blocked else "no stall", width, style="dim")]
    table, room = _stall_table(width)
    wide = width >= _WIDE
    if wide:
        room = width - _INDENT - 45
        table = _table((8, "right"), (8, "right"), (6, "right"), (13, "left"), (room, "left"))
    if not flat:
        names = "longest", *(("in all", "stalls") if wide else ()), "cause", "line"
        _add(table, *(Text(name, "dim") for name in names))
    for item in view.culprits[: max(1, most)]:
        where = _place(item.frame, item.longest.label if item.longest is not None else "", room)
        where = where if item.frame is not None else Text(blamed(item.blame), "dim", no_wrap=True, overflow="ellipsis")
        figures = [Text(format_ns(item.total_ns)), Text(str(item.count))] if wide else []
        _add(table, Text(format_ns(item.longest_ns), "bold"), *figures, _cause(item.cause), where)
    return [table]


def _latest(latest: Sequence[StallEvent], width: int) -> list[Text | Table]:
    """Draws the stalls that have ended last."""
    table, room = _stall_table(width)
    for seen in latest:
        where = _where(seen, room).append(f"  {printable(seen.process)}", "dim")
        _add(table, Text(format_ns(seen.length_ns), "bold"), _cause(seen.stall.cause), where)
    return [table]


def _add(table: Table, *cells: Text) -> None:
    """Adds a row that ends in a cause and a place; a narrow table has no column for the cause."""
    *figures, cause, where = cells
    table.add_row(*figures, *([cause] if len(table.columns) == len(cells) else []), where)


def _where(seen: StallEvent, room: int) -> Text:
    return _place(seen.blamed, seen.stall.label or seen.stall.task, room)


def _place(frame: Frame | None, about: str, room: int) -> Text:
    """Writes a place, and what ran there, within so many columns: with as few folders as that takes."""
    where, said = place(frame) if frame is not None else "no culprit was seen", f"  {printable(about)}" if about else ""
    librarys = frame is not None and is_librarys(frame.file)
    said = f"  in the framework{said}" if librarys else said
    path, colon, rest = where.partition(":")
    while len(path) + len(rest) + min(len(said), room // 3) >= room and "/" in path[2:]:
        path = f"…{path[path.index('/', 2) :]}"
    text = Text(no_wrap=True, overflow="ellipsis").append(f"{path}{colon}{rest}", "dim" if librarys else "")
    return text.append(said, "dim")


def _cause(cause: str) -> Text:
    return Text(printable(cause), CAUSE_COLORS.get(cause, ""), no_wrap=True, overflow="ellipsis")


def _line(text: str, width: int, *, style: str = "") -> Text:
    line = Text(f"{' ' * _INDENT}{printable(text)}", style, no_wrap=True)
    line.truncate(width, overflow="ellipsis")
    return line


def _stall_table(width: int) -> tuple[Table, int]:
    """Returns a table of lengths, causes and places, and how many columns a place has; a narrow one has no causes."""
    if width < _NARROW:
        room = max(1, width - _INDENT - 12)
        return _table((8, "right"), (room, "left")), room
    room = width - _INDENT - 27
    return _table((8, "right"), (13, "left"), (room, "left")), room


def _table(*columns: tuple[int, str]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for width, justify in columns:
        table.add_column("", width=max(1, width), justify=justify, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
    return table
