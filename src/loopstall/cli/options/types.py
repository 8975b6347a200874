"""Option types: durations, sizes, shares."""

from typing import Any

import click

from loopstall.records import units

__all__ = ["DURATION", "MINUTES", "RATE", "SECONDS", "SHARE", "SIZE"]


class _Amount(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic in later versions of click
    """An amount with a unit.

    Args:
        unit: its kind.
    """

    def __init__(self, unit: units.Unit) -> None:
        self.name = unit.name
        self._unit = unit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return self._unit.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION, SECONDS, MINUTES = map(_Amount, (units.DURATION, units.SECONDS, units.MINUTES))
RATE, SIZE, SHARE = map(_Amount, (units.RATE, units.SIZE, units.SHARE))
