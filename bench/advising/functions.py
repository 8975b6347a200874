"""Twenty functions of the kinds that programs call from a loop, each with the rate at which its jobs come."""

from collections.abc import Callable
import functools
import hashlib
import json
import os
import re
import sqlite3
import tempfile
import time
import zlib

BUFFER = os.urandom(1 << 20)
BIG = BUFFER * 24
TEXT = json.dumps([{"number": i, "name": f"name {i}"} for i in range(20_000)])
NUMBERS = [(i * 7919) % 100_003 for i in range(60_000)]


def add() -> int:
    return 2 + 2


def small_dict() -> dict[str, int]:
    return {str(i): i for i in range(60)}


def short_search() -> bool:
    return bool(re.search(r"\bname (\d+)\b", TEXT[:2_000]))


def wait_20ms() -> None:
    time.sleep(0.02)


def wait_5ms() -> None:
    time.sleep(0.005)


def append_to_disk() -> None:
    with tempfile.TemporaryFile() as file:
        for _ in range(4):
            file.write(BUFFER)
            file.flush()
            os.fsync(file.fileno())


def hash_big_buffer() -> str:
    return hashlib.sha256(BIG).hexdigest()


def compress() -> int:
    return len(zlib.compress(BUFFER, 6))


def scrypt() -> str:
    return hashlib.scrypt(b"secret", salt=b"salt", n=2**13, r=8, p=1).hex()


def pbkdf2() -> str:
    return hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", 40_000).hex()


@functools.cache
def _database() -> sqlite3.Connection:
    found = sqlite3.connect(":memory:", check_same_thread=False)
    found.execute("create table item (number integer, name text)")
    found.executemany("insert into item values (?, ?)", ((i, f"name {i}") for i in range(100_000)))
    return found


def scan_table() -> int:
    (count,) = _database().execute("select count(*) from item where name like '%99%'").fetchone()
    return int(count)


def loop_1ms() -> int:
    return _loop(20_000)


def loop_10ms() -> int:
    return _loop(200_000)


def loop_50ms() -> int:
    return _loop(1_000_000)


def _loop(turns: int) -> int:
    total = 0
    for number in range(turns):
        total += number * number
    return total


def backtrack() -> bool:
    return bool(re.match(r"^(\w+\s?)*$", "a" * 17 + "!"))


def parse_json() -> int:
    return len(json.loads(TEXT))


def sort_with_key() -> list[int]:
    return sorted(NUMBERS, key=lambda number: -number)[-1:]


def sum_big_argument(numbers: list[int]) -> int:
    return sum(numbers)


def big_argument() -> list[list[int]]:
    return [list(range(2_000_000))]


def unpicklable_result() -> Callable[[], int]:
    _loop(300_000)
    return lambda: 1


FUNCTIONS = {
    # name: (jobs a second, what gives its arguments)
    "add": (50, ""),
    "small_dict": (50, ""),
    "short_search": (50, ""),
    "wait_20ms": (10, ""),
    "wait_5ms": (40, ""),
    "append_to_disk": (10, ""),
    "hash_big_buffer": (10, ""),
    "compress": (8, ""),
    "scrypt": (8, ""),
    "pbkdf2": (10, ""),
    "scan_table": (15, ""),
    "loop_1ms": (100, ""),
    "loop_10ms": (20, ""),
    "loop_50ms": (5, ""),
    "backtrack": (15, ""),
    "parse_json": (10, ""),
    "sort_with_key": (12, ""),
    "sum_big_argument": (15, "big_argument"),
    "unpicklable_result": (15, ""),
    "loop_50ms at 120/s": (120, ""),
}
