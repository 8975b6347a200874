"""What every test has."""

import pytest


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Tests run in a folder of their own, where no pyproject.toml and no workloads are found."""
    monkeypatch.chdir(tmp_path)
