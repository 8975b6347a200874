"""The names of who may look at a loop that is late: a module of its own, for who only offers the choice."""

from collections.abc import Callable
import os

__all__ = ["AUTO", "INSIDE", "OUTSIDE", "SAMPLERS", "SAMPLER_VARIABLE", "sampler_of_environment"]

SAMPLERS = AUTO, OUTSIDE, INSIDE = ("auto", "outside", "inside")
"""A helper process where it can be had, else as inside; a helper process; a thread of the watched process."""

SAMPLER_VARIABLE = "LOOPSTALL_SAMPLER"
"""Names the one to take where a program does not say: for all that a command runs."""


def sampler_of_environment(on_fault: Callable[[str], object]) -> str:
    """Returns the one that the variable names, and the first one where it names none.

    Args:
        on_fault: told where it names something else.
    """
    named = os.environ.get(SAMPLER_VARIABLE) or AUTO
    if named in SAMPLERS:
        return named
    on_fault(f"{SAMPLER_VARIABLE} is none of {', '.join(SAMPLERS)}, but {named!r}: taken for {AUTO}")
    return AUTO
