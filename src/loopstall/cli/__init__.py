"""The command line: one file a command, errors caught once."""

from loopstall.cli.entry import main

__all__ = ["main"]
