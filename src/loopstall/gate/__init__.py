"""Verdicts: which cell is a trap, and what changed between two results. Pure functions of records."""
