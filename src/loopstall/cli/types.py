"""Option types: durations, sizes, shares."""

import math
import re
from typing import Any

import click

from loopstall.durations import EXAMPLE, FACTORS

__all__ = ["DURATION", "RATE", "SHARE", "SIZE"]

_NUMBER = re.compile(r"([0-9.]+(?:e[+-]?\d+)?)\s*([a-zµ%/]*)", re.IGNORECASE)


class _Unit(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic in later versions of click
    """A number with a unit.

    Args:
        name: how help names it.
        factors: what a unit multiplies by; "" for none.
        low: the least value, after multiplication.
        high: the greatest.
        example: shown where the value is wrong.
    """

    def __init__(self, name: str, factors: dict[str, float], *, low: float, high: float, example: str) -> None:
        self.name = name
        self._factors = factors
        self._low = low
        self._high = high
        self._example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = _NUMBER.fullmatch(str(value).strip())
        factor = self._factors.get(match[2].lower()) if match else None
        try:
            number = float(match[1]) * factor if match and factor is not None else math.nan
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a {self.name}; write for instance {self._example}", param, ctx)
        if not self._low <= number <= self._high:
            self.fail(f"{value!r} is out of range; write for instance {self._example}", param, ctx)
        return number


DURATION = _Unit(
    "duration",
    FACTORS,
    low=0.001,
    high=86_400.0,
    example=EXAMPLE,
)
"""In seconds, 1 ms to a day; the unit must be there, for 50 may be meant as either."""

RATE = _Unit("rate", {"": 1.0, "/s": 1.0}, low=0.001, high=100_000, example="200 or 0.5/s")
"""In jobs a second; more arrivals than this the loop that makes them cannot keep up with."""

SIZE = _Unit(
    "size",
    {"": 1.0, "kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 1e3, "mb": 1e6, "gb": 1e9},
    low=0,
    high=2**60,
    example="512MiB or 4GiB",
)
"""In bytes."""

SHARE = _Unit("share", {"": 1.0, "%": 0.01}, low=0.0, high=1.0, example="0.95 or 95%")
"""From 0 to 1."""
