"""The error of what a system or an interpreter does not give; apart, so that a process that starts quickly has it."""

__all__ = ["UnavailableError"]


class UnavailableError(Exception):
    """This process cannot have what was asked for, and why."""
