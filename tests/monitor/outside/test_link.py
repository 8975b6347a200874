"""The connection of a program to its helper process, where that is gone."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the helper process is Linux's")

GONE = """
import _socket, gc, os
from loopstall.monitor.outside import link
from loopstall.monitor.unavailable import UnavailableError

def started():
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    theirs.close()
    return ours, os.getpid()

link._started = started
try:
    link.Link()
except UnavailableError as error:
    print(error)
gc.collect()
"""


def test_helper_that_is_gone_before_it_is_greeted_leaves_no_open_socket():
    words = [sys.executable, "-X", "tracemalloc=25", "-W", "error::ResourceWarning", "-c", GONE]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LOOPSTALL")}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "the helper process cannot be started: Broken pipe\n"
    assert done.stderr == ""
