"""Amounts as people write and read them, with a unit; the standard library alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
import math
import re

__all__ = [
    "DURATION",
    "MINUTES",
    "RATE",
    "SECONDS",
    "SHARE",
    "SIZE",
    "Unit",
    "counted",
    "format_bytes",
    "format_ns",
    "format_value",
]

_WRITTEN = re.compile(r"([0-9.]+(?:e[+-]?\d+)?)\s*([a-zµ%/]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A kind of amount.

    Args:
        name: its name in help texts.
        factors: the factor of each unit; "" for no unit.
        low: the least value, after multiplication.
        high: the greatest.
        example: shown where the value is wrong.
    """

    name: str
    factors: Mapping[str, float]
    low: float
    high: float
    example: str

    def parse(self, text: str) -> float:
        """Reads an amount.

        Raises:
            ValueError: it is none, or out of range; the message says what to write.
        """
        match = _WRITTEN.fullmatch(text.strip())
        factor = self.factors.get(match[2].lower()) if match else None
        try:
            number = float(match[1]) * factor if match and factor is not None else math.nan
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"{text!r} is not a {self.name}; write for instance {self.example}")
        if not self.low <= number <= self.high:
            raise ValueError(f"{text!r} is out of range; write for instance {self.example}")
        return number


DURATION = Unit(
    name="duration",
    factors={"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0},
    low=0.001,
    high=86_400.0,
    example="50ms, 0.5s or 2m",
)
"""In seconds, 1 ms to a day; the unit must be there, for 50 may be meant as either."""

SECONDS = replace(DURATION, factors={**DURATION.factors, "": 1.0}, example="20, 0.5s or 2m")
"""In seconds; a bare number is of seconds, for what is named after them and for time limits."""

MINUTES = replace(DURATION, factors={**DURATION.factors, "": 60.0}, low=1e-9, example="10, 90s or 1h")
"""In seconds; a bare number is of minutes, for what is named after them."""

RATE = Unit(name="rate", factors={"": 1.0, "/s": 1.0}, low=0.001, high=100_000, example="200 or 0.5/s")
"""In jobs a second; more arrivals than this the loop that makes them cannot keep up with."""

SIZE = Unit(
    name="size",
    factors={"": 1.0, "kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 1e3, "mb": 1e6, "gb": 1e9},
    low=0,
    high=2**60,
    example="512MiB or 4GiB",
)
"""In bytes."""

SHARE = Unit(name="share", factors={"": 1.0, "%": 0.01}, low=0.0, high=1.0, example="0.95 or 95%")
"""From 0 to 1."""

_BYTES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_STEPS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"))


def counted(number: int, what: str, plural: str = "") -> str:
    """Writes a count with its noun: "1 stall", "2 stalls", "1,200 entries".

    Args:
        number: how many.
        what: the noun for one.
        plural: the noun for any other number; with an "s" added for "".
    """
    return f"{number:,} {what if number == 1 else plural or f'{what}s'}"


def format_ns(value: float) -> str:
    """Writes a time with three significant digits: "12.3 ms"."""
    for size, unit in _STEPS:
        if value >= size:
            return f"{_three(value / size)} {unit}"
    return f"{value:.0f} ns"


def format_bytes(value: float) -> str:
    """Writes an amount of memory: "41 MiB"."""
    for size, unit in _BYTES:
        if value >= size:
            return f"{_three(value / size)} {unit}" if unit == "GiB" else f"{value / size:.0f} {unit}"
    return f"{value:.0f} B"


def format_value(value: float, unit: str) -> str:
    """Writes a value of a metric with its unit."""
    if unit == "ns":
        return format_ns(value)
    if unit == "bytes":
        return format_bytes(value)
    if unit == "share":
        return f"{value:.1%}"
    if unit == "1/s":
        return f"{_three(value)}/s"
    return f"{value:.0f}"


def _three(value: float) -> str:
    if value >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004
