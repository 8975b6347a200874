"""The messages between a program and its helper: a socket that keeps them apart carries one at a time.

Hands on how they are packed, and nothing of what they lead to.
"""

import _socket
import os
import struct
import sys

__all__ = [
    "ENDED",
    "HANG",
    "HELLO",
    "NEWS",
    "REFUSED",
    "SEEN",
    "SLOT",
    "fds_of",
    "news_file",
    "news_in",
    "packed_hello",
    "rights",
    "unpacked_hello",
]

HELLO, SLOT = b"H", b"S"
"""First byte of what a program sends: itself, or a slot with two descriptors: its file and its alarm."""

SEEN, REFUSED, NEWS = b"s", b"r", b"n"
"""First byte of what the helper answers: a stack as proof, a sentence why it cannot look, or a stall that goes on.

News come as a file: they have the stacks of many looks, and a message has its limits.
"""

HANG, ENDED = "hang", "ended"
"""Kinds of news: a stall that goes on, and one in which its program has ended."""

_HELLO = struct.Struct("<QQIBBB")


def packed_hello(runtime: int, thread_id: int, *, free_threaded: bool, name: str) -> bytes:
    """Returns how a program introduces itself.

    Args:
        runtime: address of the interpreter's ``_PyRuntime``.
        thread_id: the number of the thread whose stack is to be read as a proof.
        free_threaded: the kind of build.
        name: of the process, for people.
    """
    major, minor = sys.version_info[:2]
    return HELLO + _HELLO.pack(runtime, thread_id, 0, major, minor, free_threaded) + name.encode(errors="replace")[:500]


def unpacked_hello(data: bytes) -> tuple[int, int, tuple[int, int], bool, str]:
    """Returns what ``packed_hello`` was given, with the version.

    Raises:
        ValueError: it has not made that.
    """
    try:
        runtime, thread_id, _, major, minor, free_threaded = _HELLO.unpack_from(data, 1)
    except struct.error as error:
        raise ValueError("the message is too short") from error
    return runtime, thread_id, (major, minor), bool(free_threaded), data[1 + _HELLO.size :].decode(errors="replace")


def rights(*fds: int) -> list[tuple[int, int, bytes]]:
    """Returns descriptors as a message carries them."""
    return [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))]


def fds_of(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """Returns the descriptors that came with a message."""
    found: list[int] = []
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            found += struct.unpack(f"{len(data) // 4}i", data[: len(data) // 4 * 4])
    return found


def news_file(news: bytes) -> int:
    """Returns the descriptor of a file in memory that has nothing but news, to be read from its begin.

    Raises:
        OSError: the system has no such files, no memory, or no descriptor is free.
    """
    fd = os.memfd_create("news", os.MFD_CLOEXEC)
    try:
        left = memoryview(news)
        while left:
            left = left[os.write(fd, left) :]
        os.lseek(fd, 0, os.SEEK_SET)
    except OSError:
        os.close(fd)
        raise
    return fd


def news_in(fds: list[int]) -> bytes:
    """Returns the news of the file that came with a message, b"" where none did, and closes what came."""
    try:
        return os.pread(fds[0], os.fstat(fds[0]).st_size, 0) if fds else b""
    except OSError:  # it is no file
        return b""
    finally:
        for fd in fds:
            os.close(fd)
