"""Memory of a process, read from outside: missing where there is none, and refused with a reason."""

import ctypes
import errno
import os
import struct
import sys

import pytest

from loopstall.monitor import process_memory as module
from loopstall.monitor.process_memory import Memory, ProcessMemory
from loopstall.monitor.unavailable import UnavailableError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads processes on Linux")


@pytest.fixture
def memory():
    return ProcessMemory(os.getpid())


@pytest.fixture
def kept():
    return ctypes.create_string_buffer(bytes(range(256)) * 1000)


def test_what_is_there_is_read_and_what_is_not_is_missing(memory, kept):
    at = ctypes.addressof(kept)
    assert memory.read(at, 256) == bytes(range(256))
    assert memory.read(at, 256_000) == kept.raw[:-1]
    assert [memory.read(address, 8) for address in (0, 8, -8, 2**63, 2**64 - 8)] == [b""] * 5


def test_many_ranges_are_read_at_once(memory, kept):
    at = ctypes.addressof(kept)
    ranges = [(at + number, number % 7) for number in range(200)]
    assert memory.read_many(ranges) == [kept.raw[number : number + number % 7] for number in range(200)]
    assert memory.read_many([]) == []


@pytest.mark.parametrize("hole", [8, 0, -8, 2**64 - 8])
def test_of_many_ranges_those_that_are_not_there_are_missing(memory, kept, hole):
    at = ctypes.addressof(kept)
    ranges = [(at, 4), (hole, 4), (at + 4, 4), (hole, 8), (at + 8, 4)]
    assert memory.read_many(ranges) == [b"\0\1\2\3", b"", b"\4\5\6\7", b"", b"\x08\x09\x0a\x0b"]


@pytest.mark.parametrize("kind", [ProcessMemory.words, Memory.words], ids=["at once", "one by one"])
def test_words_are_read_over_and_over_or_not_at_all(memory, kept, kind):
    at = ctypes.addressof(kept)
    first, second = struct.unpack_from("2Q", kept)
    assert kind(memory, (at, at + 8), 3) == (first, second) * 3
    assert kind(memory, (at, 8), 3) == kind(memory, (at, -8), 3) == ()


def test_more_words_than_one_call_reads_are_not_there(memory, kept):
    assert len(memory.words((ctypes.addressof(kept),), 64)) == 64
    assert memory.words((ctypes.addressof(kept),), 65) == ()


def test_process_that_is_not_there_is_said_to_be_so():
    with pytest.raises(UnavailableError, match="there is no process 4194305"):
        ProcessMemory(4194305)


@pytest.fixture
def owned(monkeypatch):
    """Has a process belong to a user; Python itself may ask for other files meanwhile."""

    def own(pid, user, real=os.stat):
        known = {f"/proc/{pid}": os.stat_result((0, 0, 0, 0, user, *(0,) * 5))}
        monkeypatch.setattr(os, "stat", lambda path, **options: known.get(path) or real(path, **options))

    return own


@pytest.mark.parametrize(
    ("code", "user", "said"),
    [
        (errno.ENOSYS, 0, "this kernel does not show"),
        (errno.ENOMEM, 0, "cannot be read: Cannot allocate memory"),
        (errno.EPERM, 0, "CAP_SYS_PTRACE is missing"),
        (errno.EPERM, 4242, "is not yours: run as its user or as root"),
    ],
)
def test_refusal_names_what_is_missing(monkeypatch, owned, code, user, said):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    owned(os.getpid(), 0)
    assert said in module._refusal(os.getpid(), code)


def test_refusal_names_yama(monkeypatch, owned, tmp_path):
    scope = tmp_path / "scope"
    scope.write_text("1\n", "ascii")
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    owned(1, 4242)
    instead = {"/proc/sys/kernel/yama/ptrace_scope": scope}
    monkeypatch.setattr(
        "builtins.open", lambda path, *mode, real=open, **how: real(instead.get(path, path), *mode, **how)
    )
    assert "ptrace_scope of Yama is 1" in module._refusal(1, errno.EPERM)
