"""Tests of a user's own, which pytest runs in a process of its own under the plugin."""

import os
import subprocess
import sys

HEADER = """
import asyncio, gc, os, sys, threading, time
import pytest

def blocked(seconds):
    async def main():
        time.sleep(seconds)
    asyncio.run(main())
"""
LONG = 0.2
"""Seconds that no stall of a healthy test reaches by accident, with a budget of half of that."""


_OUTER = ("PYTEST", "GITHUB", "CI", "BUILD_NUMBER", "COLUMNS")
"""Variables of whoever runs these tests, by which pytest would print other lines."""


def run(folder, tests, *arguments, ini="", plugins=(), base=None, **variables):
    """Runs pytest over tests, without the settings of this project and with no plugin but these and loopstall's."""
    named = [word for name in ("loopstall.pytest_plugin", *plugins) for word in ("-p", name)]
    (folder / "test_own.py").write_text(HEADER + tests)
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}")
    outer = {key: value for key, value in (base or os.environ).items() if not key.startswith(_OUTER)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *named, *map(str, arguments)],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={**outer, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables},
    )  # fmt: skip


BUDGET = ("--stall-budget", "100ms")
BLOCKED = f"def test_blocked():\n    blocked({LONG})\n"
FINE = "def test_fine():\n    asyncio.run(asyncio.sleep(0.2))\n"
