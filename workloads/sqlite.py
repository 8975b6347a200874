"""A query that no index serves."""

from collections.abc import Iterator
import contextlib
from pathlib import Path
import sqlite3
import tempfile

from loopstall import workload

_KINDS = 97
_QUERY = "SELECT count(*), sum(length(body)) FROM notes WHERE body LIKE ?"


def _body(number: int) -> str:
    return f"{number % _KINDS:02d}x" * 30


def _pattern(seed: int) -> str:
    return f"%{seed % _KINDS:02d}x%"


@workload(params={"rows": [20_000]}, on_request=True)
def sqlite(seed: int, *, rows: int, path: str) -> list[int]:  # noqa: ARG001  # the table has them
    """A synchronous database driver on the loop: opens a SQLite file and scans a table.

    Stands for `sqlite3` behind an `async def`, an ORM without an asynchronous driver, a search without an index.
    SQLite gives the GIL up while it scans, so that threads help. The async version is aiosqlite, which sends each
    call to a thread of its connection. A right answer is the number of rows found and the length of their text.
    """
    with contextlib.closing(sqlite3.connect(path)) as database:
        return list(database.execute(_QUERY, (_pattern(seed),)).fetchone())


@sqlite.async_version(requires=["aiosqlite"])
async def _(seed: int, *, rows: int, path: str) -> list[int]:  # noqa: ARG001
    import aiosqlite  # an extra

    async with aiosqlite.connect(path) as database, database.execute(_QUERY, (_pattern(seed),)) as found:
        row = await found.fetchone()
        assert row is not None, "an aggregate has one row"
        return list(row)


@sqlite.context
@contextlib.contextmanager
def _(seed: int, *, rows: int) -> Iterator[dict[str, str]]:  # noqa: ARG001
    with tempfile.TemporaryDirectory(prefix="loopstall-sqlite-") as folder:
        path = str(Path(folder, "notes.db"))
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE notes (body TEXT)")
            database.executemany("INSERT INTO notes VALUES (?)", ((_body(number),) for number in range(rows)))
            database.commit()
        yield {"path": path}


@sqlite.verify
def _(result: object, seed: int, *, rows: int, path: str) -> bool:  # noqa: ARG001
    count = len(range(seed % _KINDS, rows, _KINDS))
    return result == [count, count * len(_body(seed))]
