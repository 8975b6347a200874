"""A regular expression that backtracks."""

import re

from loopstall import workload

_PATTERN = re.compile(r"^(\w+\s?)*$")


@workload(params={"length": [18]}, on_request=True)
def regex_backtrack(seed: int, *, length: int) -> list[int]:
    """Text from outside, held against a pattern that tries every way to split it.

    Stands for the validation of a form field or a header by a pattern that backtracks catastrophically: each
    letter more doubles the time (ReDoS). The matcher keeps the GIL from beginning to end, so that a thread stops
    the loop as well. A right answer is that the text does not match.
    """
    letter = chr(ord("a") + seed % 26)
    return [seed, int(_PATTERN.match(letter * length + "!") is not None)]


@regex_backtrack.verify
def _(result: object, seed: int, *, length: int) -> bool:  # noqa: ARG001  # no way to split it ends in a match
    return result == [seed, 0]
