"""What the gate's power is measured on."""

import hashlib
from pathlib import Path
import tempfile

from loopstall import workload

_ROUNDS = 4_000
_CONTENT = bytes(1_000_000)
_DIGEST = hashlib.sha256(_CONTENT).hexdigest()


def _mixed(seed: int) -> int:
    value = seed
    for _ in range(_ROUNDS):
        value = (value * 1103515245 + 12345) & 0x7FFFFFFF
    return value


@workload()
def hashing(seed: int) -> int:
    """Pure-Python hashing, for the loop's own thread."""
    return _mixed(seed)


@hashing.verify
def _(result: int, seed: int) -> bool:
    return result == _mixed(seed)


@workload()
def files(_seed: int) -> int:
    """Writes a file and reads it back; its async version with aiofiles."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(_CONTENT)
        return len(path.read_bytes())


@files.async_version(requires=["aiofiles"])
async def _(_seed: int) -> int:
    import aiofiles

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        async with aiofiles.open(path, "wb") as file:
            await file.write(_CONTENT)
        async with aiofiles.open(path, "rb") as file:
            return len(await file.read())


@files.verify
def _(result: int, _seed: int) -> bool:
    return result == len(_CONTENT)


@workload()
def fan_out(_seed: int) -> str:
    """Hashes a big buffer, which gives the GIL up, for threads."""
    return hashlib.sha256(_CONTENT).hexdigest()


@fan_out.verify
def _(result: str, _seed: int) -> bool:
    return result == _DIGEST
