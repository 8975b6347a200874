"""Ends the copy of a worker that a job leaves behind when it forks and returns in both processes.

Without this the copy would go on driving its own copy of the loop, on the original's file descriptors.
"""

from collections.abc import Callable
import os
from typing import Any

__all__ = ["only_in_original"]


def only_in_original(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a job's function so that it returns only in the process that called it."""
    copies: list[bool] = []
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: copies.append(True))

    def run(seed: int, **kwargs: Any) -> Any:
        try:
            return function(seed, **kwargs)
        finally:
            if copies:
                os._exit(0)

    return run
