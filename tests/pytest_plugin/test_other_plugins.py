"""The pytest plugin beside other plugins, and what it needs itself."""

from helpers import uncovered
from own_tests import BLOCKED, BUDGET, FINE, run
import pytest


def test_workers_of_xdist_report_to_the_summary(tmp_path):
    pytest.importorskip("xdist")
    done = run(tmp_path, BLOCKED + FINE, *BUDGET, "-n", 2, plugins=("xdist",))
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "1 stall in 1 test: test_own.py:7" in done.stdout


@pytest.mark.parametrize("with_", ["faulthandler", "pytest_timeout", "pytest_cov"])
def test_other_plugins_that_watch_go_on_working(tmp_path, with_):
    tests = BLOCKED + FINE
    if with_ == "faulthandler":
        hanging = "def test_hangs():\n    time.sleep(1.5)\n"
        done = run(tmp_path, tests + hanging, *BUDGET, ini="faulthandler_timeout = 0.5\n")
        assert "test_hangs" in done.stderr  # its own dump of the stacks
        assert "1 failed, 2 passed" in done.stdout, done.stdout
        return
    pytest.importorskip(with_)
    if with_ == "pytest_timeout":
        hanging = "def test_hangs():\n    time.sleep(60)\n"
        done = run(tmp_path, tests + hanging, *BUDGET, "--timeout", 2, plugins=("pytest_timeout",))
        assert "Timeout" in done.stdout
        assert "2 failed, 1 passed" in done.stdout, done.stdout
    else:
        done = run(tmp_path, tests, *BUDGET, "--cov", ".", "--cov-report", "term", plugins=("pytest_cov",))
        assert "1 failed, 1 passed" in done.stdout, done.stdout
        assert "test_own.py" in done.stdout.partition("coverage:")[2]


def test_on_it_needs_the_standard_library_and_pytest_alone(tmp_path):
    tests = """
def test_it():
    asyncio.run(asyncio.sleep(0))
    assert "loopstall.pytest_plugin.session" in sys.modules
    tops = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
    allowed = {"loopstall", "pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "test_own"}
    allowed |= {"sitecustomize", "usercustomize"}  # of the machine, whatever it is
    unknown = {name for name in tops - allowed if not name.startswith(("_", "py"))}
    assert not unknown, unknown
"""
    done = run(tmp_path, tests, *BUDGET, "--stall-report", "out.json", base=uncovered())
    assert done.returncode == 0, done.stdout
