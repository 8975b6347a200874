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

KEPT = """
import gc
from loopstall.monitor.outside import link

link.link()
link._links.clear()  # as at the end of the interpreter, in whatever order
gc.collect()
"""


def run(program):
    words = [sys.executable, "-X", "tracemalloc=25", "-W", "default::ResourceWarning", "-c", program]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LOOPSTALL")}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_connection_that_lasts_until_the_end_is_no_socket_left_open():
    assert run(KEPT) == ""


def test_helper_that_is_gone_before_it_is_greeted_leaves_no_open_socket():
    assert run(GONE) == "the helper process cannot be started: Broken pipe\n"


@pytest.mark.parametrize("within_s", [0, 30])
def test_helper_is_waited_for_where_that_is_asked_for(within_s):
    code = f"from loopstall.monitor.outside import link; link.prepare({within_s}); print(link.link().answered)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{within_s > 0}\n"
