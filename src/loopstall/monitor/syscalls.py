"""The state of a thread, as the kernel tells it: computing, or waiting in a system call, which is named.

Hands on ``wait_in``, which knows nothing of where the line comes from: of a thread of this process or of another.
"""

import os

from loopstall.records.thread_states import GIL, READY, RUNNING

__all__ = ["GIL", "READY", "RUNNING", "wait_in"]

_NAMES = {
    "x86_64": {
        0: "read", 1: "write", 7: "poll", 23: "select", 35: "nanosleep", 42: "connect", 45: "recvfrom", 47: "recvmsg",
        61: "wait4", 72: "fcntl", 73: "flock", 74: "fsync", 75: "fdatasync", 202: "futex", 230: "clock_nanosleep",
        232: "epoll_wait", 247: "waitid", 257: "openat", 270: "pselect6", 271: "ppoll", 281: "epoll_pwait",
    },
    "aarch64": {
        22: "epoll_pwait", 25: "fcntl", 32: "flock", 56: "openat", 63: "read", 64: "write", 72: "pselect6", 73: "ppoll",
        82: "fsync", 83: "fdatasync", 95: "waitid", 98: "futex", 101: "nanosleep", 115: "clock_nanosleep",
        203: "connect", 207: "recvfrom", 212: "recvmsg", 260: "wait4",
    },
}  # fmt: skip


def wait_in(line: bytes) -> tuple[str, int]:
    """Returns the name of the system call that a thread waits in and its first argument.

    Args:
        line: ``/proc/…/task/…/syscall`` of the thread.

    Returns:
        ``RUNNING`` where it waits for nothing, "" where the system does not tell.
    """
    fields = line.decode("ascii", "replace").split()
    if not fields or not fields[0].isdigit():  # "running", or "-1" and not to be read
        return RUNNING if fields == [RUNNING] else "", 0
    name = _NAMES.get(os.uname().machine, {}).get(int(fields[0]), f"system call {fields[0]}")
    return name, int(fields[1], 16)
