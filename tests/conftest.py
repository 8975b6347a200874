"""What every test has."""

from importlib.util import find_spec
import sysconfig

import pytest

_ALONE = {
    "monitor", "test_theory.py", "test_gate.py", "test_against.py",
    "test_session.py", "test_traffic.py", "test_watch.py", "test_traps.py", "test_probe.py", "test_ways_out.py",
}  # fmt: skip
"""Files and folders of tests that judge what they measure: nothing may run beside them."""


_LAGGING = ("msgspec",)
"""What some free-threaded Python cannot have, because it does not build there."""

_UNAVAILABLE = [name for name in _LAGGING if sysconfig.get_config_var("Py_GIL_DISABLED") and not find_spec(name)]


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
        if f"No module named '{name}'" in shown or f"needs {name}, which this Python" in shown:
            report.outcome, report.longrepr = "skipped", (str(item.path), 1, f"Skipped: {_why(name)}")
    return report


def pytest_collection_modifyitems(items):
    """Marks the tests that measure, so that the others can run side by side."""
    for item in items:
        if _ALONE.intersection(item.path.parts):
            item.add_marker(pytest.mark.alone)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Tests run in a folder of their own, where no pyproject.toml and no workloads are found."""
    monkeypatch.chdir(tmp_path)
