"""A socket lies at a path of any length."""

from pathlib import Path
import stat
import sys

import pytest

from loopstall.monitor.outside.address import connected, listening

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the helper process is Linux' alone")


@pytest.mark.parametrize("extra", [0, 1, 200])
def test_socket_can_lie_as_deep_as_folders_can(tmp_path, extra):
    room = 107 - len(str(tmp_path / "helper")) - 1  # sun_path
    folder = tmp_path / ("a" * (max(room, 1) + extra))
    folder.mkdir()
    path = folder / "helper"
    listener = listening(path)
    try:
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        connection = connected(str(path))
        connection.send(b"hello")
        accepted, _ = listener._accept()
        assert Path(f"/proc/self/fd/{accepted}").exists()
        connection.close()
    finally:
        listener.close()


def test_where_nobody_listens_is_an_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        connected(str(tmp_path / ("a" * 200) / "helper"))
