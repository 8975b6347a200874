"""Commands whose help has examples, and options in groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

__all__ = ["HelpedCommand", "write_examples"]

_WIDEST = 30  # columns of an option's name; click's own limit
_REST = "Other options"


class HelpedCommand(click.Command):
    """A command that shows examples before its options, and these in groups.

    Args:
        words: as click has them, and so are the other options.
        examples: command lines, each with what it does.
        groups: the names of parameters by the heading of their group, in the order of the help; parameters that are
            in none come last.
    """

    def __init__(
        self,
        *words: Any,
        examples: Sequence[tuple[str, str]] = (),
        groups: Mapping[str, Sequence[str]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*words, **options)
        self.examples = examples
        self.groups = groups or {}

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the description and the examples."""
        super().format_help_text(ctx, formatter)
        write_examples(self.examples, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options by group, with their texts one under the other."""
        options = [item for item in self.get_params(ctx) if isinstance(item, click.Option)]
        records = {item.name: item.get_help_record(ctx) for item in options}
        grouped = {name for names in self.groups.values() for name in names}
        rest = [name for name in records if name not in grouped]
        shown = [record[0] for record in records.values() if record is not None]
        width = min(_WIDEST, max(map(len, shown), default=0))
        for heading, names in (*self.groups.items(), (_REST if self.groups else "Options", rest)):
            rows = [record for name in names if (record := records.get(name)) is not None]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl([(name.ljust(width), text) for name, text in rows])


def write_examples(examples: Sequence[tuple[str, str]], formatter: click.HelpFormatter) -> None:
    """Writes examples: each command line whole, and under it what it does."""
    if not examples:
        return
    with formatter.section("Examples"):
        for line, text in examples:
            formatter.write(f"{'':{formatter.current_indent}}{line}\n")
            with formatter.indentation():
                formatter.write_text(text)
