"""What every test has."""

import pytest

_ALONE = {
    "monitor", "test_theory.py", "test_gate.py", "test_against.py",
    "test_session.py", "test_traffic.py", "test_watch.py", "test_traps.py", "test_probe.py", "test_ways_out.py",
}  # fmt: skip
"""Files and folders of tests that judge what they measure: nothing may run beside them."""


def pytest_collection_modifyitems(items):
    """Marks the tests that measure, so that the others can run side by side."""
    for item in items:
        if _ALONE.intersection(item.path.parts):
            item.add_marker(pytest.mark.alone)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Tests run in a folder of their own, where no pyproject.toml and no workloads are found."""
    monkeypatch.chdir(tmp_path)
