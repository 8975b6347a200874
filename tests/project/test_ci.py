"""What CI does where a machine cannot do it."""

import os
from pathlib import Path
import subprocess
import sys

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "newer-pythons"

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(sys.platform != "linux", reason="the script is for Debian"),
    pytest.mark.skipif(not SCRIPT.exists(), reason="only a checkout has it"),
]

MISSING = {
    "grep": ("exit 1", "this is not Debian"),
    "id": ("echo 1000", "only root can make a chroot"),
    "unshare": ("exit 1", "this machine lets nobody mount"),
    "apt-get": ("exit 1", "apt knows no mirror of Debian"),
}


@pytest.mark.parametrize("missing", MISSING)
def test_newer_pythons_are_left_out_in_a_line_where_they_cannot_be_had(tmp_path, missing):
    tools = tmp_path / "tools"
    tools.mkdir()
    fine = {"grep": "exit 0", "id": "echo 0", "unshare": "exit 0", "apt-get": "echo http://mirror/debian"}
    for name, code in {**fine, missing: MISSING[missing][0]}.items():
        (tools / name).write_text(f"#!/bin/sh\n{code}\n")
        (tools / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([SCRIPT], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"newer-pythons: skipped 3.14 3.15: {MISSING[missing][1]}\n"
    assert not (tmp_path / "cache").exists()
