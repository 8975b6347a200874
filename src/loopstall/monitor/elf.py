"""The address of ``_PyRuntime`` and the version of CPython in a process that is seen from outside.

Hands on ``find_runtime``, and ``find_asyncio`` for the table that asyncio has of its own. They read which files the
process has mapped (/proc/PID/maps), and where their symbols lie; files are opened as the process sees them
(/proc/PID/root), so that containers have the right ones. Only ELF files of 64-bit little-endian machines are known. It
imports little, as ``process_memory`` does.
"""

from collections.abc import Iterator
import os
import struct

from loopstall.monitor.layout import told_version
from loopstall.monitor.process_memory import ProcessMemory
from loopstall.monitor.unavailable import UnavailableError

__all__ = ["find_asyncio", "find_runtime"]

_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little-endian
_LOADED = 1  # kind of a segment
_SYMBOL_TABLES = (11, 2)  # kinds of sections: what others link to, which stripped files keep, and all
_SYMBOL_BYTES = 24
_RUNTIME_SECTION = b".PyRuntime\0"  # since 3.13, whatever a file was stripped of
_ASYNCIO_SECTION = b".AsyncioDebug\0"  # since 3.14
_MOST_SECTIONS = 1000
_LONGEST_SECTION = 1 << 26
_MOST_OCCURRENCES = 100
_PAGE = 4096
_DELETED = " (deleted)"
_OLDEST, _NEWEST = (3, 11), (3, 15)


def find_runtime(memory: ProcessMemory, pid: int) -> tuple[int, tuple[int, int], bool]:
    """Looks for CPython in a process.

    Args:
        memory: of the process.
        pid: its number.

    Returns:
        The address of ``_PyRuntime``, the version, and whether the build is free-threaded.

    Raises:
        UnavailableError: the process runs none, or one that is not known, or does not show what it runs.
    """
    for path, start in _candidates(pid):
        try:
            with open(path, "rb") as file:  # noqa: PTH123  # pathlib is slow
                symbols = _symbols(file.fileno())
        except (OSError, struct.error):
            continue
        runtime = symbols.get(b"_PyRuntime", 0)
        if not runtime:
            continue
        bias = start - symbols[b""]
        told = told_version(memory.read, runtime + bias)
        if told is None and (at := symbols.get(b"Py_Version", 0)):
            raw = int.from_bytes(memory.read(at + bias, 4), "little")
            told = (raw >> 24, raw >> 16 & 0xFF), False
        if told is None:
            continue
        if not _OLDEST <= told[0] <= _NEWEST:
            raise UnavailableError(f"process {pid} runs Python {told[0][0]}.{told[0][1]}, which is not known here")
        return runtime + bias, *told
    raise UnavailableError(f"process {pid} runs no CPython that can be recognised")


def find_asyncio(pid: int) -> int:
    """Returns the address of the table in which a process' asyncio tells its layout, 0 where it has none.

    Args:
        pid: the number of the process.

    Raises:
        UnavailableError: the process does not show what it runs.
    """
    for path, start in (*_candidates(pid, library="_asyncio."), *_candidates(pid)):
        try:
            with open(path, "rb") as file:  # noqa: PTH123  # as above
                head = os.pread(file.fileno(), 64, 0)
                begin = _begin(file.fileno(), head)
                at = _section_at(file.fileno(), head, _ASYNCIO_SECTION) if begin is not None else 0
        except (OSError, struct.error):
            continue
        if at and begin is not None:
            return at + start - begin
    return 0


def _candidates(pid: int, *, library: str = "libpython") -> Iterator[tuple[str, int]]:
    """Yields the executable and the libraries of a name that a process has mapped, with where they begin."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123  # as above
            lines = file.read().splitlines()
        executable = os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115  # as above
    except (FileNotFoundError, ProcessLookupError):
        raise UnavailableError(f"there is no process {pid}") from None
    except PermissionError:
        raise UnavailableError(f"process {pid} is not yours: run as its user or as root") from None
    found: dict[str, tuple[str, int]] = {}
    for line in lines:
        parts = line.split(maxsplit=5)
        if len(parts) < 6 or int(parts[2], 16) or parts[5] in found:  # noqa: PLR2004  # a mapping without a file
            continue
        path, addresses = parts[5], parts[0]
        start = int(addresses.partition("-")[0], 16)
        if path == executable:
            found[path] = (f"/proc/{pid}/exe", start)
        elif os.path.basename(path).startswith(library):  # noqa: PTH119  # as above
            inside = f"/proc/{pid}/map_files/{addresses}" if path.endswith(_DELETED) else f"/proc/{pid}/root{path}"
            found[path] = (inside if os.path.exists(inside) else path, start)  # noqa: PTH110  # as above; of a chroot
    yield from sorted(found.values(), key=lambda one: not one[0].endswith("/exe"))


def _symbols(fd: int) -> dict[bytes, int]:
    """Returns where a file says that the symbols of interest are; under "" where it says that it begins itself.

    Raises:
        OSError: the file cannot be read.
        struct.error: the file is cut off.
    """
    head = os.pread(fd, 64, 0)
    begin = _begin(fd, head)
    if begin is None:
        return {}
    found = {b"": begin}
    sections = _sections(fd, head)
    for wanted in _SYMBOL_TABLES:
        for section in sections:
            if section[1] == wanted and section[6] < len(sections):
                letters = _content(fd, sections[section[6]])
                for name, address in _named(_content(fd, section), letters):
                    found.setdefault(name, address)
    if b"_PyRuntime" not in found and (at := _section_at(fd, head, _RUNTIME_SECTION)):
        found[b"_PyRuntime"] = at
    return found


def _begin(fd: int, head: bytes) -> int | None:
    """Returns which address a file wants for its beginning, None where it is none that is known."""
    if not head.startswith(_MAGIC):
        return None
    at, step, count = (*struct.unpack_from("<Q", head, 32), *struct.unpack_from("<HH", head, 54))
    for number in range(min(count, _MOST_SECTIONS)):
        kind, _, offset, address = struct.unpack("<IIQQ", os.pread(fd, 24, at + number * step))
        if kind == _LOADED:
            return int(address - offset) & -_PAGE
    return None


def _section_at(fd: int, head: bytes, name: bytes) -> int:
    """Returns which address a file wants for a section, 0 where it has none of that name."""
    sections = _sections(fd, head)
    names_in = struct.unpack_from("<H", head, 62)[0]
    if names_in >= len(sections):
        return 0
    letters = _content(fd, sections[names_in])
    return next((section[3] for section in sections if letters.startswith(name, section[0])), 0)


def _sections(fd: int, head: bytes) -> list[tuple[int, ...]]:
    """Returns the table of sections: name, kind, flags, address, offset, size, and the section that it links to."""
    at, step, count = (*struct.unpack_from("<Q", head, 40), *struct.unpack_from("<HH", head, 58))
    count = min(count, _MOST_SECTIONS)
    raw = os.pread(fd, step * count, at)
    return [struct.unpack_from("<IIQQQQI", raw, step * number) for number in range(count)]


def _content(fd: int, section: tuple[int, ...]) -> bytes:
    return os.pread(fd, min(section[5], _LONGEST_SECTION), section[4])


def _named(table: bytes, letters: bytes) -> Iterator[tuple[bytes, int]]:
    """Yields name and address of the symbols of interest that a table defines."""
    for name in (b"_PyRuntime", b"Py_Version"):
        begin = letters.find(b"\0" + name + b"\0") + 1
        if not begin:
            continue
        reference = struct.pack("<I", begin)
        at = -1
        for _ in range(_MOST_OCCURRENCES):
            at = table.find(reference, at + 1)
            if at < 0:
                break
            if at % _SYMBOL_BYTES == 0:
                _, _, _, section, address = struct.unpack_from("<IBBHQ", table, at)
                if section:
                    yield name, address
