"""The gate on two sides of one small project."""

import os

from helpers import loopstall

LIBRARY = """
import time

def work(n):
    value = 0
    for i in range(n):
        value = (value * 31 + i) & 0xFFFFFFFF
    return value
"""
WORKLOAD = """
import mylib
from loopstall import workload

@workload(params={"n": [4000]})
def calc(seed, *, n):
    mylib.work(n)
    return seed

@calc.verify
def _(result, seed, *, n):
    return result == seed
"""
QUICK = ("--rounds", 1, "--confirm", 4, "--turns", 2, "--alpha", "99%")
"""As few pairs as can decide anything: what is tested is what is said, not how surely."""
UNTRAPPED = ("--budget", "60s", "--availability", "0")
"""No stall is a trap, so that the time alone decides."""


def gate(project, *arguments, env=None):
    whole = None if env is None else {**os.environ, **env}
    return loopstall("gate", "calc", "-s", "asyncio", *arguments, cwd=project, timeout=200, env=whole)
