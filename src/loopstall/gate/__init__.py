"""Verdicts: which cell is a trap, and what changed between two results. Pure functions of records."""

ACCEPTED_FILE = "loopstall-accepted.toml"
"""Where what is lived with on purpose is written down, in the root of a project."""
