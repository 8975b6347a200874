"""Writing a file safely and reading it back."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
import hashlib
import os
from pathlib import Path
import tempfile

from loopstall import workload

_CHUNK = 1 << 20


@lru_cache(maxsize=4)
def _zeros(size: int) -> bytes:
    return bytes(size)


def _head(seed: int) -> bytes:
    """Returns the 16 bytes that make a seed's file its own; zeros follow, which cost nothing to make."""
    return seed.to_bytes(16, "big", signed=True)


@lru_cache(maxsize=64)
def _digest(seed: int, size: int) -> str:
    return hashlib.sha256(_head(seed) + _zeros(size)).hexdigest()


@workload(params={"bytes": [8_000_000], "fsync": [True]})
def file_io(seed: int, *, bytes: int, fsync: bool, folder: str) -> str:  # noqa: A002  # the parameter's name
    """Blocking file I/O on the loop: writes a file, syncs it to the disk, reads it back and hashes it.

    Stands for an upload that is saved, a log or a cache that is flushed, a report that is written. Each step
    blocks the thread it runs on: inline that is the loop's, which is the trap. The async version goes through
    aiofiles, in chunks of 1 MiB, and still hashes on the loop. The files lie in the temporary folder (set TMPDIR
    to choose the disk). A right answer is the SHA-256 of what was written.
    """
    descriptor, name = tempfile.mkstemp(dir=folder)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor, not a path
            file.write(_head(seed))
            file.write(_zeros(bytes))
            file.flush()
            if fsync:
                os.fsync(file.fileno())
        return hashlib.sha256(Path(name).read_bytes()).hexdigest()
    finally:
        Path(name).unlink()


@file_io.async_version(requires=["aiofiles"])
async def _(seed: int, *, bytes: int, fsync: bool, folder: str) -> str:  # noqa: A002
    import aiofiles  # an extra
    import aiofiles.os

    zeros, digest = memoryview(_zeros(bytes)), hashlib.sha256()
    descriptor, name = tempfile.mkstemp(dir=folder)
    try:
        async with aiofiles.open(descriptor, "wb") as file:
            await file.write(_head(seed))
            for offset in range(0, bytes, _CHUNK):
                await file.write(zeros[offset : offset + _CHUNK])
            await file.flush()
            if fsync:
                await asyncio.to_thread(os.fsync, file.fileno())
        async with aiofiles.open(name, "rb") as file:
            while chunk := await file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()
    finally:
        await aiofiles.os.unlink(name)


@file_io.context
@contextmanager
def _(seed: int, *, bytes: int, fsync: bool) -> Iterator[dict[str, str]]:  # noqa: A002, ARG001
    with tempfile.TemporaryDirectory(prefix="loopstall-file-io-") as folder:
        yield {"folder": folder}


@file_io.verify
def _(result: object, seed: int, *, bytes: int, fsync: bool, folder: str) -> bool:  # noqa: A002, ARG001
    return result == _digest(seed, bytes)
