"""Tables without a frame, whose columns stand one under the other from table to table."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.table import Table

__all__ = ["Column", "columns"]


class Column(NamedTuple):
    """A column.

    Args:
        heading: what stands above it.
        width: the least, which keeps the tables of a list in line.
        left: whether it stands at the left, as words do and figures do not.
        breaks: whether it goes on in a second line, between words, where the terminal is narrow.
    """

    heading: str
    width: int
    left: bool = False
    breaks: bool = False


def columns(wanted: Sequence[Column], *, headed: bool = True) -> Table:
    """Returns an empty table.

    Args:
        wanted: its columns.
        headed: whether the headings are shown.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=headed)
    for item in wanted:
        table.add_column(
            item.heading, justify="left" if item.left else "right", min_width=item.width, no_wrap=not item.breaks
        )
    return table
