"""The folder in which what the documents show can be tried."""

import shutil

import pytest
from workshop import furnish


@pytest.fixture(scope="session")
def furnished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workshop")
    furnish(folder / "project")
    return folder


@pytest.fixture
def workshop(furnished, tmp_path):
    """A copy of that folder, so that no command finds what another one has left."""
    shutil.copytree(furnished, tmp_path / "workshop", symlinks=True)
    return tmp_path / "workshop" / "project"
