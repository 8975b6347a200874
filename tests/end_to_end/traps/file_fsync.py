"""A file that is written, synced and read back on the loop."""

import asyncio
import os
from pathlib import Path
import tempfile
import time

CAUSES = {"blocking-call", "cpu-native", "cpu-python"}  # where the disk is memory, the calls are short and many


async def save(path):
    end = time.monotonic() + 0.7
    while time.monotonic() < end:
        with path.open("wb") as file:  # culprit
            file.write(b"x" * 4_000_000)  # culprit
            file.flush()
            os.fsync(file.fileno())  # culprit
        path.read_bytes()  # culprit


async def main():
    with tempfile.TemporaryDirectory() as folder:
        await asyncio.gather(save(Path(folder, "data")), asyncio.sleep(0.01))


if __name__ == "__main__":
    asyncio.run(main())
