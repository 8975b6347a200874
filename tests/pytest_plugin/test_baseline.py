"""Stalls of today that pass until a date."""

import re

from own_tests import BLOCKED, BUDGET, FINE, LONG, run


def test_baseline_lets_todays_stalls_pass_and_what_is_new_or_worse_fail(tmp_path):
    done = run(tmp_path, BLOCKED + FINE, *BUDGET, "--stall-baseline", "write")
    assert done.returncode == 0, done.stdout
    assert "1 entry added" in done.stdout
    written = (tmp_path / "loopstall-accepted.toml").read_text()
    assert 'where = "test_own.py in blocked.<locals>.main"' in written
    assert run(tmp_path, BLOCKED + FINE, *BUDGET).returncode == 0
    worse = "def test_worse():\n    blocked(1.5)\n"
    new = f"def test_new():\n    async def new():\n        time.sleep({LONG})\n    asyncio.run(new())\n"
    done = run(tmp_path, BLOCKED + worse + new, *BUDGET)
    assert "2 failed, 1 passed" in done.stdout, done.stdout
    assert "of it were accepted until" in done.stdout
    assert "there when the budget was introduced" in done.stdout


def test_baseline_that_has_run_out_or_is_broken_does_not_hide_anything(tmp_path):
    path = tmp_path / "loopstall-accepted.toml"
    run(tmp_path, BLOCKED, *BUDGET, "--stall-baseline", "write")
    path.write_text(re.sub(r"until = .*", "until = 2020-01-31", path.read_text()))
    done = run(tmp_path, BLOCKED, *BUDGET)
    assert done.returncode == 1
    assert "accepted until 2020-01-31" in done.stdout
    path.write_text("[[accepted]]\nwhat = 'stall'\n")
    done = run(tmp_path, BLOCKED, *BUDGET)
    assert done.returncode == 4
    assert "has no budget" in done.stderr


def test_baseline_needs_a_budget(tmp_path):
    done = run(tmp_path, FINE, "--stall-baseline", "write")
    assert done.returncode == 4
    assert "needs a budget" in done.stderr
