"""What every test has."""

from importlib.util import find_spec
import os
from pathlib import Path
import sysconfig

import pytest

_TESTS = Path(__file__).parent
_MEASURING = {"monitor"}
"""Folders of which every test judges what it measures, so that nothing may run beside it; other modules say so."""

if find_spec("hypothesis"):  # `pytest-benchmark compare` reads this file too, where the tests' libraries may be missing
    from hypothesis import settings

    # No test asserts a duration of the machine, and CI tries the same examples every time: a change is what fails it.
    settings.register_profile("loopstall", deadline=None, derandomize=bool(os.environ.get("CI")))
    settings.load_profile("loopstall")

_LAGGING = ("msgspec",)
"""What some free-threaded Python cannot have, because it does not build there."""

_UNAVAILABLE = [name for name in _LAGGING if sysconfig.get_config_var("Py_GIL_DISABLED") and not find_spec(name)]


collect_ignore = ["docs"] if _UNAVAILABLE else []  # its fixtures begin with `loopstall run`


def _why(name):
    return f"{name} cannot be installed on this free-threaded Python"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Skips a file of tests that imports what this Python cannot have."""
    report = yield
    for name in _UNAVAILABLE if report.failed else ():
        if f"No module named '{name}'" in str(report.longrepr):
            report.outcome, report.longrepr = "skipped", (str(collector.path), 1, f"Skipped: {_why(name)}")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Skips a test that needs it further on, itself or in a command that it runs."""
    report = yield
    for name in _UNAVAILABLE if report.failed else ():
        shown = report.longreprtext + "".join(text for _, text in report.sections)
        if any(words in shown for words in (f"No module named '{name}'", f"install {name}")):
            report.outcome, report.longrepr = "skipped", (str(item.path), 1, f"Skipped: {_why(name)}")
    return report


def pytest_collection_modifyitems(items):
    """Marks the tests of folders that measure, so that the others can run side by side."""
    for item in items:
        if item.path.is_relative_to(_TESTS) and item.path.relative_to(_TESTS).parts[0] in _MEASURING:
            item.add_marker(pytest.mark.alone)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Tests run in a folder of their own, where no pyproject.toml and no workloads are found."""
    monkeypatch.chdir(tmp_path)
