"""The outside of measuring processes: which run comes when, starts, time limits and what is left behind.

It hands on runs and pairs of runs. It knows of the harness, which runs inside those processes, only `protocol.py`.
"""
