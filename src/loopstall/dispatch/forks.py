"""Recognises the copy of a process that a job leaves behind when it forks and returns in both.

The copy of a loop would go on driving it, and the copy of a pool's worker would answer a second time, on the
original's file descriptors: both look here after each job and end themselves. The copy of a pool's thread has
nobody to talk to and needs no such care.
"""

import os

__all__ = ["ForkMark"]


class ForkMark:
    """A value that is true in processes forked from the one that made it."""

    def __init__(self) -> None:
        self._forked = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._mark)

    def _mark(self) -> None:
        self._forked = True

    def __bool__(self) -> bool:
        return self._forked
