"""Work in Python code, in the shapes that programs have."""

from collections.abc import Iterator
import hashlib
import time

from kinds.base import Sizing, Work

_SMALL = b"x" * 1000
_PRICES = {f"item {number}": number for number in range(1000)}
_DEPTH = 60
_WARM = 50  # calls, after which the interpreter has made of a function's code what it will


def nothing(_seconds: float) -> int:
    """Does next to nothing."""
    return sum(range(100))


def until_a_time(seconds: float) -> None:
    """Counts until a time has come."""
    until = time.perf_counter() + seconds
    number = 0
    while time.perf_counter() < until:  # here
        number += 1  # here


def until_a_time_idly(seconds: float) -> None:
    """Asks for the time alone: of all instructions, nearly every look meets the call."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:  # here
        pass


def for_loop(size: int) -> int:
    """Does arithmetic in a loop that calls nothing."""
    total = 0
    for number in range(size):  # here
        total += number * number % 7  # here
    return total


def small_functions(size: int) -> int:
    """Calls a small function in a loop."""
    total = 0
    for number in range(size):  # here
        total = _added(total, number)  # here
    return total


def _added(total: int, number: int) -> int:
    more = number & 3  # here
    return total + more  # here


def table(size: int) -> int:
    """Goes through a dictionary again and again."""
    total = 0
    for _ in range(size):
        for name, price in _PRICES.items():  # here
            total += price if name else 0  # here
    return total


def text(size: int) -> str:
    """Builds a text piece by piece."""
    built = ""
    for number in range(size):  # here
        built = f"{built[-40:]}, {number}"  # here
    return built


def recursion(size: int) -> int:
    """Calls itself, again and again."""
    total = 0
    for _ in range(size):
        total += _down(_DEPTH)  # here
    return total


def _down(depth: int) -> int:
    if depth == 0:  # here
        return 0  # here
    return 1 + _down(depth - 1)  # here


def generators(size: int) -> int:
    """Passes numbers through generators."""
    total = 0
    for number in _odd(_squares(size)):  # here
        total += number  # here
    return total


def _squares(size: int) -> Iterator[int]:
    for number in range(size):  # here
        yield number * number  # here


def _odd(numbers: Iterator[int]) -> Iterator[int]:
    for number in numbers:  # here
        if number % 2:  # here
            yield number  # here


async def coroutines(size: int) -> int:
    """Awaits coroutines that never wait."""
    total = 0
    for number in range(size):  # here
        total = await _awaited(total, number)  # here
    return total


async def _awaited(total: int, number: int) -> int:
    return await _innermost(total, number)  # here


async def _innermost(total: int, number: int) -> int:
    return total + number % 3  # here


def small_calls(seconds: float) -> None:
    """Makes many short C calls that keep the GIL, as small buffers are hashed."""
    until = time.perf_counter() + seconds
    digest = hashlib.sha256()
    while time.perf_counter() < until:  # here
        digest.update(_SMALL)  # here


for _ in range(_WARM):
    until_a_time_idly(0.0001)

NOTHING = Work(nothing)
UNTIL_A_TIME = Work(until_a_time)
UNTIL_A_TIME_IDLY = Work(until_a_time_idly)
FOR_LOOP = Work(for_loop, Sizing())
SMALL_FUNCTIONS = Work(small_functions, Sizing(), also=(_added,))
TABLE = Work(table, Sizing(first=10))
TEXT = Work(text, Sizing())
RECURSION = Work(recursion, Sizing(first=10), also=(_down,))
GENERATORS = Work(generators, Sizing(), also=(_squares, _odd))
COROUTINES = Work(coroutines, Sizing(), also=(_awaited, _innermost))
SMALL_CALLS = Work(small_calls)
