"""Budgets as users of the pytest plugin have them: pytest as a subprocess over tests of their own."""

import os
import subprocess
import sys

from own_tests import BLOCKED, BUDGET, FINE, HEADER, LONG, run
import pytest


def test_blocked_test_fails_with_length_cause_line_task_source_and_advice(tmp_path):
    done = run(tmp_path, BLOCKED + FINE, *BUDGET)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    for text in (
        "the budget is 100 ms",
        "blocking-call",
        "culprit: test_own.py:7 in blocked.<locals>.main",
        "task: Task-",
        "        time.sleep(seconds)",
        " in test_blocked",
        "what to do: Await an async version",
        "event-loop stalls",
        "1 stall in 1 test: test_own.py:7",
    ):
        assert text in done.stdout, text
    assert "pluggy/" not in done.stdout


@pytest.mark.parametrize(
    ("ini", "variables"), [("stall_budget = 100ms\n", {}), ("", {"LOOPSTALL_BUDGET": "100ms"})], ids=["ini", "variable"]
)
def test_budget_comes_from_a_setting_or_the_environment_too(tmp_path, ini, variables):
    assert run(tmp_path, BLOCKED, ini=ini, **variables).returncode == 1
    assert run(tmp_path, BLOCKED, *BUDGET[:1], "60s", ini=ini, **variables).returncode == 0


def test_off_costs_nothing(tmp_path):
    tests = (
        BLOCKED
        + """
def test_nothing_is_loaded():
    loaded = {name for name in sys.modules if name.partition(".")[0] == "loopstall"}
    assert loaded == {"loopstall", "loopstall.pytest_plugin"}
    assert threading.active_count() == 1
    assert "run_forever" not in asyncio.SelectorEventLoop.__dict__
    assert asyncio.BaseEventLoop.run_forever.__module__ == "asyncio.base_events"
"""
    )
    done = run(tmp_path, tests)
    assert done.returncode == 0, done.stdout
    assert "event-loop stalls" not in done.stdout


@pytest.mark.parametrize(("words", "status"), [((), 1), (("-p", "no:loopstall"), 0)])
def test_plugin_is_found_by_its_entry_point_and_can_be_left_out(tmp_path, words, status):
    (tmp_path / "test_own.py").write_text(HEADER + BLOCKED)
    (tmp_path / "pytest.ini").write_text("[pytest]")
    command = [sys.executable, "-m", "pytest", "-p", "no:asyncio", "-p", "no:aiohttp", *words]
    environment = {**os.environ, "LOOPSTALL_BUDGET": "100ms"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == status, done.stdout + done.stderr


def test_marks_set_lift_and_need_a_reason(tmp_path):
    tests = f"""
@pytest.mark.stall_budget("100ms")
def test_own():
    blocked({LONG})

@pytest.mark.stall_budget(None, reason="is rewritten in 2.1")
def test_lifted():
    blocked({LONG})

def test_none():
    blocked({LONG})
"""
    done = run(tmp_path, tests)
    assert "1 failed, 2 passed" in done.stdout
    assert "FAILED test_own.py::test_own" in done.stdout
    done = run(tmp_path, tests, *BUDGET)
    assert "2 failed, 1 passed" in done.stdout


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("stall_budget(None)", "needs reason="),
        ("stall_budget()", "takes a budget"),
        ('stall_budget("20")', "not a duration"),
        ('stall_budget("20ms", much=1)', "takes a budget"),
    ],
)
def test_wrong_mark_is_wrong_use(tmp_path, mark, said):
    done = run(tmp_path, f"@pytest.mark.{mark}\ndef test_it():\n    pass\n")
    assert done.returncode == 4, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_budget_is_wrong_use(tmp_path):
    done = run(tmp_path, FINE, "--stall-budget", "fifty")
    assert done.returncode == 4
    assert "write for instance 50ms" in done.stderr


def test_many_short_stalls_break_the_total(tmp_path):
    tests = """
def test_many():
    async def main():
        for _ in range(10):
            time.sleep(0.03)
            await asyncio.sleep(0)
    asyncio.run(main())
"""
    done = run(tmp_path, tests, "--stall-total", "200ms", "--stall-budget", "10s")
    assert done.returncode == 1, done.stdout
    assert "in all" in done.stdout
    assert run(tmp_path, tests, "--stall-total", "20s").returncode == 0


def test_fixtures_are_not_watched_and_windows_alone_count(tmp_path):
    tests = f"""
@pytest.fixture
def slow():
    blocked({LONG})

def test_fixture_is_no_matter(slow):
    pass

def test_outside_of_the_window(stalls):
    blocked({LONG})
    with stalls.window("checkout"):
        asyncio.run(asyncio.sleep(0.01))
    assert [stall for stall in stalls if stall.duration_ns > 1e8] == []

def test_inside_of_the_window(stalls):
    with stalls.window("checkout"):
        blocked({LONG})
    assert stalls[0].cause == "blocking-call"

def test_without_windows(stalls):
    assert len(stalls) == 0
    blocked({LONG})
    assert max(stall.duration_ns for stall in stalls) > 1e8
"""
    done = run(tmp_path, tests, *BUDGET)
    assert "2 failed, 2 passed" in done.stdout, done.stdout
    assert "FAILED test_own.py::test_inside_of_the_window" in done.stdout
    assert run(tmp_path, tests).returncode == 0  # the fixture alone fails nothing


def test_test_that_fails_by_itself_keeps_its_own_error(tmp_path):
    done = run(tmp_path, f"def test_it():\n    blocked({LONG})\n    assert 1 == 2\n", *BUDGET)
    assert "assert 1 == 2" in done.stdout
    assert "the budget is" not in done.stdout


MARKED = """
import sys

from _pytest.assertion.rewrite import AssertionRewritingHook
import pytest

pytest.register_assert_rewrite(  # as is done with all of what is installed
    "helping", "loopstall.analysis", "loopstall.monitor", "loopstall.records", "loopstall.report",
    "loopstall.pytest_plugin.session", "loopstall.pytest_plugin.recorder", "loopstall.pytest_plugin.hang",
)

@pytest.hookimpl(trylast=True)
def pytest_unconfigure():
    names = [name for name in sys.modules if name.startswith(("loopstall.", "helping"))]
    anew = [name for name in names if isinstance(sys.modules[name].__spec__.loader, AssertionRewritingHook)]
    print("compiled anew:", *anew)
    print("of", len(names))
"""


@pytest.mark.parametrize("asked", [(*BUDGET, "--stall-report", "out.html"), ()])
def test_modules_of_the_plugin_are_not_compiled_anew_for_assertions_and_those_of_the_tests_are(tmp_path, asked):
    (tmp_path / "marking.py").write_text(MARKED)
    (tmp_path / "helping.py").write_text("")
    tests = "import helping\n\n@pytest.mark.stall_budget('100ms')\ndef test_it():\n    pass\n"
    done = run(tmp_path, tests, *asked, plugins=("marking",), PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "compiled anew: loopstall.pytest_plugin helping\n" in done.stdout
    assert int(done.stdout.rpartition("of ")[2]) > 40


def test_nothing_of_the_plugin_stays_where_modules_are_found_when_a_session_has_ended(tmp_path):
    (tmp_path / "test_own.py").write_text(HEADER + FINE)
    code = (
        "import sys, pytest\nbefore = sys.meta_path[:]\n"
        "assert pytest.main(['-p', 'no:cacheprovider', '-p', 'loopstall.pytest_plugin', *sys.argv[1:]]) == 0\n"
        "assert [type(one) for one in sys.meta_path] == [type(one) for one in before], sys.meta_path\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *BUDGET], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
