"""The outside of measuring processes: which run comes when, starts, time limits and what is left behind.

Three modules carry a whole measurement out before the user's eyes and save it as it goes: `session.py` a plan,
`paired_session.py` the pairs of two sides, `stored_session.py` a candidate against a stored baseline.

It hands on runs and pairs of runs. It knows of the harness, which runs inside those processes, only `protocol.py`.
"""
