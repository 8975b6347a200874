"""A clock that the test sets, and what a probe tells it."""

import math

MS = 1_000_000


class ManualClock:
    def __init__(self):
        self.now = 1000 * MS

    def __call__(self):
        return self.now

    def passes(self, ms):
        self.now += round(ms * MS)


class Ears:
    def __init__(self):
        self.spans, self.overruns, self.alive_at, self.rests = [], [], [], 0
        self.late_s = [math.inf]

    def alive(self, now, watchdog_ns):
        self.alive_at.append(now)

    def rest(self, due_s=math.inf):
        assert due_s == self.late_s[0]
        self.rests += 1

    def overran(self, due, now):
        self.overruns.append(round((now - due) / MS, 3))

    def span(self, start, end):
        self.spans.append(round((end - start) / MS, 3))
