"""The memory of a process, as the kernel copies it: what is not there is missing, and nothing crashes.

Hands on ``Memory``, what readers ask for, and ``ProcessMemory``, another process' (process_vm_readv(2)). Calls give the
GIL up: they are made by a process that does nothing else. It imports little, for that process is to start quickly.
"""

from collections.abc import Sequence
import ctypes
import errno
import os
import struct
import sys

from loopstall.monitor.unavailable import UnavailableError

__all__ = ["Memory", "ProcessMemory"]

_MOST_RANGES = 64
_WORD = 8
_FIRST_ROOM = 1 << 16


class Memory:
    """Memory that can be read."""

    def read(self, address: int, size: int) -> bytes:
        """Returns up to ``size`` bytes, fewer or none where there is no memory."""
        raise NotImplementedError

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Returns what ``read`` returns for each pair of address and size."""
        return [self.read(address, size) for address, size in ranges]

    def words(self, addresses: Sequence[int], times: int) -> tuple[int, ...]:
        """Returns the numbers of 8 bytes at some addresses, read so many times over; () where one is not there."""
        found = self.read_many([(address, _WORD) for address in addresses] * times)
        return tuple(int.from_bytes(one, "little") for one in found) if all(len(one) == _WORD for one in found) else ()

    def close(self) -> None:
        """Gives back what it holds of the system."""


class ProcessMemory(Memory):
    """The memory of another process, or of this one. One thread at a time may use it.

    The arguments of the call are kept ready, because making them takes as long as the call.

    Args:
        pid: its number.

    Raises:
        UnavailableError: the process has ended, or the system does not show its memory to this one.
    """

    def __init__(self, pid: int) -> None:
        if sys.platform != "linux":
            raise UnavailableError(f"{sys.platform} does not show a process the memory of another one")
        self._call = ctypes.CDLL(None, use_errno=True)["process_vm_readv"]  # not ``.name``, which all share
        self._call.restype = ctypes.c_ssize_t
        remote, self._remote = _words(2 * _MOST_RANGES)  # of struct iovec
        local, self._local = _words(2)
        self._before = ctypes.c_int(pid), ctypes.c_void_p(local), ctypes.c_ulong(1), ctypes.c_void_p(remote)
        self._counts = [ctypes.c_ulong(number) for number in range(_MOST_RANGES + 1)]
        self._room = 0
        self._make_room(_FIRST_ROOM)
        if self._fill(((0, 1),), 1) < 0 and (code := ctypes.get_errno()) != errno.EFAULT:
            raise UnavailableError(_refusal(pid, code))

    def read(self, address: int, size: int) -> bytes:
        """Returns up to ``size`` bytes, fewer or none where there is no memory."""
        if not 0 < address <= sys.maxsize:
            return b""
        count = self._fill(((address, size),), size)
        return self._view[:count].tobytes() if count > 0 else b""

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Returns what ``read`` returns for each pair of address and size, with one call for many of them."""
        found: list[bytes] = []
        while len(found) < len(ranges):
            some = ranges[len(found) : len(found) + _MOST_RANGES]
            count = -1
            if all(0 < address <= sys.maxsize for address, _ in some):
                count = self._fill(some, sum(size for _, size in some))
            at = 0
            for _, size in some:
                if at + size > count:
                    break
                found.append(self._view[at : at + size].tobytes())
                at += size
            else:
                continue
            found.append(self.read(*ranges[len(found)]))  # the call ends where the first range does
        return found

    def words(self, addresses: Sequence[int], times: int) -> tuple[int, ...]:
        """Returns the numbers of 8 bytes at some addresses, read so many times over; () where one is not there.

        One call of the system reads all of them, which may be 64.
        """
        count = len(addresses) * times
        if count > _MOST_RANGES or not all(0 < address <= sys.maxsize for address in addresses):
            return ()
        ranges = [word for address in addresses for word in (address, _WORD)]
        struct.pack_into(f"{2 * count}Q", self._remote, 0, *ranges * times)
        self._local[1] = _WORD * count
        done = self._call(*self._before, self._counts[count], self._counts[0])
        return struct.unpack_from(f"{count}Q", self._view) if done == _WORD * count else ()

    def _fill(self, ranges: Sequence[tuple[int, int]], size: int) -> int:
        """Copies ranges one behind the other into the buffer, and returns how many bytes that were, -1 for none."""
        if size > self._room:
            self._make_room(size)
        self._local[1] = size
        at, remote = 0, self._remote
        for address, length in ranges:
            remote[at], remote[at + 1] = address, length
            at += 2
        return int(self._call(*self._before, self._counts[len(ranges)], self._counts[0]))

    def _make_room(self, size: int) -> None:
        self._room = 1 << (size - 1).bit_length()
        buffer = ctypes.create_string_buffer(self._room)
        self._local[0] = ctypes.addressof(buffer)
        self._view = memoryview(buffer).cast("B")


def _words(count: int) -> tuple[int, memoryview]:
    """Returns the address of numbers of 8 bytes, and a view of them that keeps them."""
    buffer = ctypes.create_string_buffer(8 * count)
    return ctypes.addressof(buffer), memoryview(buffer).cast("B").cast("Q")


def _refusal(pid: int, code: int) -> str:
    """Returns a sentence on why the memory of a process cannot be read."""
    if code == errno.ESRCH:
        return f"there is no process {pid}"
    if code == errno.ENOSYS:
        return "this kernel does not show a process the memory of another one"
    if code != errno.EPERM:
        return f"the memory of process {pid} cannot be read: {os.strerror(code)}"
    try:
        owner = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116  # pathlib is slow
    except OSError:
        owner = os.geteuid()
    if os.geteuid() not in {0, owner}:
        return f"process {pid} is not yours: run as its user or as root"
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope", encoding="ascii") as file:  # noqa: PTH123  # as above
            scope = file.read().strip()
    except OSError:
        scope = "0"
    if scope != "0" and os.geteuid() != 0:
        return (
            f"the system lets a process read the memory of its children only (ptrace_scope of Yama is {scope}): "
            f"run as root, or set kernel.yama.ptrace_scope to 0"
        )
    return (
        f"the system refuses to show the memory of process {pid}: "
        f"the permission CAP_SYS_PTRACE is missing, which a container gets with --cap-add SYS_PTRACE"
    )
