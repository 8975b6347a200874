"""The state of a thread, as the kernel tells it: computing, or waiting in a system call, which is named.

Hands on ``wait_in``, which knows nothing of where the line comes from: of a thread of this process or of another.
"""

import os

from loopstall.records.thread_states import GIL, READY, RUNNING

__all__ = ["GIL", "READY", "RUNNING", "wait_in"]

_NAMES = {
    "x86_64": {
        0: "read", 1: "write", 2: "open", 3: "close", 4: "stat", 5: "fstat", 6: "lstat", 7: "poll", 8: "lseek",
        9: "mmap", 10: "mprotect", 11: "munmap", 12: "brk", 17: "pread64", 18: "pwrite64", 19: "readv", 20: "writev",
        23: "select", 26: "msync", 28: "madvise", 35: "nanosleep", 40: "sendfile", 42: "connect", 43: "accept",
        44: "sendto", 45: "recvfrom", 46: "sendmsg", 47: "recvmsg", 56: "clone", 57: "fork", 58: "vfork", 59: "execve",
        61: "wait4", 72: "fcntl", 73: "flock", 74: "fsync", 75: "fdatasync", 76: "truncate", 77: "ftruncate",
        78: "getdents", 82: "rename", 83: "mkdir", 84: "rmdir", 86: "link", 87: "unlink", 88: "symlink",
        89: "readlink", 162: "sync", 202: "futex", 217: "getdents64", 230: "clock_nanosleep", 232: "epoll_wait",
        247: "waitid", 257: "openat", 262: "newfstatat", 263: "unlinkat", 270: "pselect6", 271: "ppoll",
        281: "epoll_pwait", 285: "fallocate", 288: "accept4", 295: "preadv", 296: "pwritev", 306: "syncfs",
        316: "renameat2", 318: "getrandom", 326: "copy_file_range", 332: "statx", 435: "clone3",
    },
    "aarch64": {
        22: "epoll_pwait", 25: "fcntl", 32: "flock", 34: "mkdirat", 35: "unlinkat", 38: "renameat", 46: "ftruncate",
        47: "fallocate", 56: "openat", 57: "close", 61: "getdents64", 62: "lseek", 63: "read", 64: "write",
        65: "readv", 66: "writev", 67: "pread64", 68: "pwrite64", 71: "sendfile", 72: "pselect6", 73: "ppoll",
        78: "readlinkat", 79: "newfstatat", 80: "fstat", 81: "sync", 82: "fsync", 83: "fdatasync", 95: "waitid",
        98: "futex", 101: "nanosleep", 115: "clock_nanosleep", 202: "accept", 203: "connect", 206: "sendto",
        207: "recvfrom", 211: "sendmsg", 212: "recvmsg", 214: "brk", 215: "munmap", 220: "clone", 221: "execve",
        222: "mmap", 226: "mprotect", 227: "msync", 233: "madvise", 242: "accept4", 260: "wait4", 267: "syncfs",
        276: "renameat2", 278: "getrandom", 285: "copy_file_range", 291: "statx", 435: "clone3",
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
