"""Work in single long C calls: some keep the GIL, some give it up, some let signals be handled in their midst."""

from functools import cache
import hashlib
import json
import random
import re
from typing import Any
import zlib

from kinds.base import Sizing, Work

_WORDS = "the quick brown fox jumps over the lazy dog and runs away at last "
_BACKTRACKING = re.compile("a*a*b")
_VOWELS = re.compile("[aeiou]+")
_MODULUS = 2**521 - 1


def summed(size: int) -> int:
    """Sums numbers; nothing else gets the GIL."""
    return sum(range(size))  # here


def mapped(size: int) -> bool:
    """Has one C function call another."""
    return all(map(abs, range(1, size + 1)))  # here


def substituted(text: str) -> str:
    """Substitutes in a long text; it handles signals meanwhile."""
    return _VOWELS.sub("-", text)  # here


def backtracked(text: str) -> Any:
    """Matches in vain, after trying for long; it handles signals meanwhile."""
    return _BACKTRACKING.match(text)  # here


def dumped(rows: list[Any]) -> str:
    """Writes JSON."""
    return json.dumps(rows)  # here


def loaded(text: str) -> Any:
    """Reads JSON; garbage is collected meanwhile."""
    return json.loads(text)  # here


def ordered(numbers: list[float]) -> list[float]:
    """Sorts a long list."""
    return sorted(numbers)  # here


def hashed(data: bytes) -> bytes:
    """Hashes a long buffer; gives up the GIL."""
    return hashlib.sha256(data).digest()  # here


def compressed(data: bytes) -> bytes:
    """Compresses a long buffer; gives up the GIL."""
    return zlib.compress(data)  # here


def raised(size: int) -> int:
    """Raises a number to a power; it handles signals meanwhile."""
    return pow(3, (1 << size) - 1, _MODULUS)  # here


def joined(pieces: list[bytes]) -> bytes:
    """Joins many pieces; gives up the GIL for the second half."""
    return b"".join(pieces)  # here


def multiplied(matrix: Any) -> Any:
    """Multiplies matrices, in threads of the library's own; gives up the GIL."""
    return matrix @ matrix  # here


def _text(size: int) -> str:
    return (_WORDS * (size // len(_WORDS) + 1))[:size]


def _same_letter(size: int) -> str:
    return "a" * size


def _rows(size: int) -> list[Any]:
    return [{"id": number, "name": f"item {number}", "price": number / 3} for number in range(size)]


def _json(size: int) -> str:
    return json.dumps(_rows(size))


def _numbers(size: int) -> list[float]:
    chance = random.Random(size)
    return [chance.random() for _ in range(size)]


@cache
def _noise() -> bytes:
    return random.Random(1).randbytes(1 << 16)


def _bytes(size: int) -> bytes:
    return (_noise() * (size // len(_noise()) + 1))[:size]


def _pieces(size: int) -> list[bytes]:
    return [b"piece"] * size


def _matrix(size: int) -> Any:
    import numpy as np

    return np.random.default_rng(size).random((size, size))


SUMMED = Work(summed, Sizing())
MAPPED = Work(mapped, Sizing())
SUBSTITUTED = Work(substituted, Sizing(_text))
BACKTRACKED = Work(backtracked, Sizing(_same_letter, power=2, first=100))
DUMPED = Work(dumped, Sizing(_rows, first=100))
LOADED = Work(loaded, Sizing(_json, first=100))
ORDERED = Work(ordered, Sizing(_numbers))
HASHED = Work(hashed, Sizing(_bytes, first=100_000))
COMPRESSED = Work(compressed, Sizing(_bytes, first=10_000))
RAISED = Work(raised, Sizing())
JOINED = Work(joined, Sizing(_pieces))
MULTIPLIED = Work(multiplied, Sizing(_matrix, power=3, first=50))
