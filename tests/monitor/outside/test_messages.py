"""What a program and its helper send each other, and what comes from somebody else."""

import _socket
import struct
import sys

from hypothesis import given
from hypothesis import strategies as st
import pytest

from loopstall.monitor.outside.messages import HELLO, fds_of, packed_hello, rights, unpacked_hello

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the helper process is Linux's")

WORD = st.integers(0, 2**64 - 1)
VERSION = sys.version_info[:2]


@given(WORD, WORD, st.booleans(), st.text(max_size=120))
def test_hello_is_read_as_it_was_sent(runtime, thread_id, free_threaded, name):
    data = packed_hello(runtime, thread_id, free_threaded=free_threaded, name=name)
    assert data[:1] == HELLO
    assert unpacked_hello(data) == (runtime, thread_id, VERSION, free_threaded, name.encode(errors="replace").decode())


def test_long_name_is_cut_and_one_that_is_no_text_is_shown_as_far_as_it_is():
    assert unpacked_hello(packed_hello(1, 2, free_threaded=False, name="n" * 600))[-1] == "n" * 500
    assert unpacked_hello(packed_hello(1, 2, free_threaded=False, name="a\udcffb"))[-1] == "a?b"
    assert (
        unpacked_hello(packed_hello(1, 2, free_threaded=False, name="") + b"\xff!")[-1] == "\N{REPLACEMENT CHARACTER}!"
    )


def test_hello_that_was_cut_off_is_refused():
    whole = packed_hello(1, 2, free_threaded=False, name="")
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="too short"):
            unpacked_hello(whole[:length])


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=9))
def test_descriptors_are_read_as_they_were_sent(fds):
    assert fds_of(rights(*fds)) == fds


def test_what_else_came_with_a_message_is_no_descriptor():
    level, kind, data = rights(5)[0]
    assert fds_of([]) == []
    assert fds_of([(level + 1, kind, data), (level, kind + 1, data)]) == []
    assert fds_of([(level, kind, data + b"\0\0\0"), (level, kind, b"\0")]) == [5]
    assert fds_of([*rights(5, 6), *rights(7)]) == [5, 6, 7]


def test_descriptors_are_sent_as_the_system_expects_them():
    assert rights(3, 4) == [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("2i", 3, 4))]
