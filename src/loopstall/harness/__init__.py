"""The inside of a measuring process; the runner starts it as ``from loopstall.harness import main``."""

from loopstall.harness.run import main, measure

__all__ = ["main", "measure"]
