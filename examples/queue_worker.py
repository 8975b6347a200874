"""A worker that converts pictures. The trap: it waits for the converter with subprocess.run.

    loopstall watch examples/queue_worker.py

needs nothing but Python. Four jobs at once would take a quarter of the time, but the loop runs one, and its sign of
life (every 20 ms, to whoever would restart the worker) stops as well. The way out is asyncio.create_subprocess_exec.
"""

import asyncio
import subprocess
import sys

CONVERTER = (sys.executable, "-I", "-S", "-c", "import time; time.sleep(0.1)")  # stands in for a program of your own
WORKERS = 4


def convert(number: int) -> int:
    """Converts a picture."""
    subprocess.run(CONVERTER, check=True)  # the trap: the loop waits for another program
    return number


async def worker(jobs: asyncio.Queue[int]) -> None:
    """Takes one job after the other."""
    while True:
        print("converted", convert(await jobs.get()), flush=True)
        jobs.task_done()


async def heartbeat() -> None:
    """Says that the worker is alive."""
    while True:
        await asyncio.sleep(0.02)


async def main() -> None:
    """Does eight jobs."""
    jobs: asyncio.Queue[int] = asyncio.Queue()
    for number in range(8):
        jobs.put_nowait(number)
    tasks = [asyncio.create_task(worker(jobs)) for _ in range(WORKERS)] + [asyncio.create_task(heartbeat())]
    await jobs.join()
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main())
