"""The names of who may look at a loop that is late: a module of its own, for who only offers the choice."""

__all__ = ["AUTO", "INSIDE", "OUTSIDE", "SAMPLERS", "SAMPLER_VARIABLE"]

SAMPLERS = AUTO, OUTSIDE, INSIDE = ("auto", "outside", "inside")
"""A helper process where it can be had, else as inside; a helper process; a thread of the watched process."""

SAMPLER_VARIABLE = "LOOPSTALL_SAMPLER"
"""Names the one to take where a program does not say: for all that a command runs."""
