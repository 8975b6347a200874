"""The meaning of measured figures, worked out once for run, report, compare and gate.

It hands on summaries, comparisons, culprits and findings, and knows no process, no event loop and no output format.
"""
