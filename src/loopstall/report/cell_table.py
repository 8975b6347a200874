"""The stalls of a notebook's cell: a small table of HTML, and the same as text."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from loopstall.analysis.culprits import Culprit
from loopstall.analysis.rules import had_gil, rule_of
from loopstall.records import Frame
from loopstall.records.units import format_ns
from loopstall.report.stall_text import blamed
from loopstall.report.text import place, printable

__all__ = ["CellStalls"]

_ROWS = 10
_HEADS = ("longest", "times", "cause", "where", "what to do")
_CODE = "white-space: pre-wrap; font-family: monospace"
_LEFT = "text-align: left; vertical-align: top"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CellStalls:
    """The stalls of a cell by the line that made them; times in ns.

    Args:
        culprits: these lines, the one with the longest stall first.
        count: the number of stalls.
        stalled_ns: the time in them.
        took_ns: the time that the cell took.
        threshold_ns: the span without progress from which there was a stall.
        availability: share of the time in which no callback kept the loop for over 1 ms; None where no loop ran.
        name_of: returns the name of the cell that a file is, "" for one that is none.
        source_of: returns a line's source, "" where it is not known.
    """

    culprits: tuple[Culprit, ...]
    count: int
    stalled_ns: int
    took_ns: int
    threshold_ns: int
    availability: float | None
    name_of: Callable[[str], str]
    source_of: Callable[[Frame], str]

    @property
    def sentence(self) -> str:
        """The result in a sentence."""
        over = f"over {format_ns(self.threshold_ns)}"
        if self.availability is None:
            return "No event loop ran in this cell, so there was nothing to watch."
        free = f"the event loop was available for {self.availability:.0%} of the {format_ns(self.took_ns)}"
        if not self.count:
            return f"No stall {over}: {free} that the cell took."
        stalls = f"{self.count} stall{'' if self.count == 1 else 's'} {over}, {format_ns(self.stalled_ns)} in all"
        return f"{stalls}: {free} that the cell took."

    @property
    def rows(self) -> list[tuple[str, str, str, str, str, str]]:
        """The worst lines: longest stall, number, cause, place, source and what to do."""
        return [self._row(one) for one in self.culprits[:_ROWS]]

    def _row(self, one: Culprit) -> tuple[str, str, str, str, str, str]:
        gil = one.longest is None or had_gil(one.longest)
        advice = rule_of(one.cause, gil=gil).advice
        where = self._place(one.frame) if one.frame is not None else blamed(one.blame)
        source = printable(self.source_of(one.frame)) if one.frame is not None else ""
        return format_ns(one.longest_ns), str(one.count), one.cause, where, source, advice

    def _place(self, frame: Frame) -> str:
        cell = self.name_of(frame.file)
        return printable(f"{cell}, line {frame.line}, in {frame.function}") if cell else place(frame)

    def __repr__(self) -> str:
        lines = [self.sentence]
        for longest, times, cause, where, source, advice in self.rows:
            lines += [
                f"  {longest} at worst, {times} in all, {cause}: {where}",
                *([f"      {source}"] if source else []),
            ]
            lines.append(f"      {advice}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        said = f"<p>{escape(self.sentence)}</p>"
        if not self.rows:
            return said
        heads = "".join(f'<th scope="col" style="{_LEFT}">{head}</th>' for head in _HEADS)
        return (
            f"{said}<table><thead><tr>{heads}</tr></thead><tbody>{''.join(map(_html_row, self.rows))}</tbody></table>"
        )


def _html_row(row: tuple[str, str, str, str, str, str]) -> str:
    longest, times, cause, where, source, advice = map(escape, row)
    code = f'<br><code style="{_CODE}">{source}</code>' if source else ""
    cells = (longest, times, cause, f"{where}{code}", advice)
    return "<tr>" + "".join(f'<td style="{_LEFT}">{cell}</td>' for cell in cells) + "</tr>"
