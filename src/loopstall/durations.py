"""Durations as people write them; the standard library alone."""

import math
import re

__all__ = ["EXAMPLE", "FACTORS", "parse_duration"]

FACTORS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
"""Seconds of each unit; the unit must be there, for 50 may be meant as either."""

EXAMPLE = "50ms, 0.5s or 2m"

_WRITTEN = re.compile(r"([0-9.]+(?:e[+-]?\d+)?)\s*([a-zµ]+)", re.IGNORECASE)
_LEAST, _GREATEST = 0.001, 86_400.0


def parse_duration(text: str) -> float:
    """Reads a duration.

    Args:
        text: a number and a unit: "50ms".

    Returns:
        Seconds, 1 ms to a day.

    Raises:
        ValueError: it is no duration, or out of range; the message says what to write.
    """
    match = _WRITTEN.fullmatch(text.strip())
    factor = FACTORS.get(match[2].lower()) if match else None
    try:
        seconds = float(match[1]) * factor if match and factor is not None else math.nan
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError(f"{text!r} is not a duration; write for instance {EXAMPLE}")
    if not _LEAST <= seconds <= _GREATEST:
        raise ValueError(f"{text!r} is out of range; write for instance {EXAMPLE}")
    return seconds
