"""A query that no index serves."""

import asyncio
import sqlite3

CAUSES = {"cpu-native"}


async def search(database, word):
    return database.execute("SELECT count(*) FROM items WHERE name LIKE ?", (f"%{word}%",)).fetchone()  # culprit


async def main():
    database = sqlite3.connect(":memory:", check_same_thread=False)

    def fill():
        database.execute("CREATE TABLE items (name TEXT)")
        rows = (("x" * 200 + str(number),) for number in range(200_000))
        database.executemany("INSERT INTO items VALUES (?)", rows)

    fill()
    await asyncio.sleep(0)
    assert (await search(database, "x99999"))[0] == 1
    database.close()


if __name__ == "__main__":
    asyncio.run(main())
