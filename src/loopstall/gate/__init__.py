"""Verdicts: which cell is a trap, and what changed between two results. Pure functions of records."""

ACCEPTED_FILE = "loopstall-accepted.toml"
"""The file of accepted stalls and regressions, in the root of a project."""
