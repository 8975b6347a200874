"""The same job in pure Python and in native code that releases the GIL."""

from functools import lru_cache
import random
import zlib

from loopstall import workload

_POLYNOMIAL = 0xEDB88320


@lru_cache(maxsize=1)
def _table() -> list[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (_POLYNOMIAL if number & 1 else 0)  # noqa: PLW2901
        table.append(number)
    return table


@lru_cache(maxsize=4)
def _data(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@workload(params={"how": ["pure-python", "native-code"], "size": [200_000]}, on_request=True)
def checksum(seed: int, *, how: str, size: int) -> int:
    """CRC-32 of an upload, byte by byte in Python, or in zlib's C code, which gives the GIL up.

    Stands for parsing, hashing, compressing and number work that a program does itself in Python and that numpy, zlib,
    hashlib or a Rust extension does as well: the third way out of the trap, after threads and processes. There a thread
    is enough, and often none is needed. A right answer is the checksum.
    """
    data = _data(seed, size)
    if how == "native-code":
        return zlib.crc32(data)
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@checksum.verify
def _(result: object, seed: int, *, how: str, size: int) -> bool:  # noqa: ARG001
    return result == zlib.crc32(_data(seed, size))
