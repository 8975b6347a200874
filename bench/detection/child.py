"""A process that measures one detector on one loop, in the main thread or in another.

It is told on stdin what to do, and answers with a line of JSON each:

calibrate  the sizes with which the work of kinds takes each length
inject     every kind and length, so many times, each alone among well-behaved tasks, with what was reported
idle       for so many seconds nothing but those tasks (noise, clean runs) or nothing at all, and what was reported
turns      100 tasks of asyncio.sleep(0), for so many turns
serve      an echo server; ``cpu`` then tells the CPU time of the process
"""

import asyncio
from collections.abc import Callable
import json
import os
from pathlib import Path
import random
import sys
import threading
import time
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from injection import CLOCKS, Helpers, Injection  # its folder is no package
import kinds
import peers


async def well_behaved() -> None:
    """Wakes up a hundred times a second, at moments of its own, and goes to sleep again."""
    await asyncio.sleep(random.random() * 0.01)
    while True:  # noqa: ASYNC110  # it waits for nothing: that is its work
        await asyncio.sleep(0.01)


async def injections(order: dict[str, Any], detector: peers.Detector, answer: Callable[[Any], None]) -> None:
    """Measures recall, lengths, lines and causes."""
    helpers = Helpers()
    tasks = [asyncio.create_task(well_behaved()) for _ in range(order["tasks"])]
    plan = [(name, ms) for name in order["kinds"] for ms in order["ms"] for _ in range(order["repeat"])]
    random.Random(order["seed"]).shuffle(plan)
    records = []
    for name, ms in plan:
        injection = await asyncio.to_thread(Injection, name, ms, order["sizes"], helpers)  # it may read files
        records.append(await injection.happen(detector))
    answer(records)
    for task in tasks:
        task.cancel()


async def calibrate(order: dict[str, Any], _detector: peers.Detector, answer: Callable[[Any], None]) -> None:
    """Finds the sizes of work that is to take so long here."""
    answer(kinds.sizes(order["kinds"], order["ms"]))


async def idle(order: dict[str, Any], detector: peers.Detector, answer: Callable[[Any], None]) -> None:
    """Lets the loop do little or nothing, and measures the CPU time of the process."""
    tasks = [asyncio.create_task(well_behaved()) for _ in range(order["tasks"])]
    await asyncio.sleep(0.2)
    detector.take()
    before, begun = time.process_time(), time.perf_counter()
    await asyncio.sleep(order["seconds"])
    used, took = time.process_time() - before, time.perf_counter() - begun
    answer({"reports": detector.take(), "cpu": used / took})
    for task in tasks:
        task.cancel()


async def turns(order: dict[str, Any], _detector: peers.Detector, answer: Callable[[Any], None]) -> None:
    """Measures the seconds that 100 tasks take for so many turns each."""

    async def turn() -> None:
        for _ in range(order["turns"]):
            await asyncio.sleep(0)

    begun = time.perf_counter()
    await asyncio.gather(*(turn() for _ in range(100)))
    answer(time.perf_counter() - begun)


class Echo(asyncio.Protocol):
    """Sends back what comes."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


async def serve(_order: dict[str, Any], _detector: peers.Detector, answer: Callable[[Any], None]) -> None:
    """Opens an echo server on a free port."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})  # the client has another core: where the two meet changes what a request costs
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    loop.echo_server = server  # type: ignore[attr-defined]  # stays open with the loop
    answer(server.sockets[0].getsockname()[1])


async def cpu(_order: dict[str, Any], _detector: peers.Detector, answer: Callable[[Any], None]) -> None:
    """Tells the CPU time of the process so far, in seconds."""
    answer(time.process_time())


COMMANDS = {"calibrate": calibrate, "inject": injections, "idle": idle, "turns": turns, "serve": serve, "cpu": cpu}


async def main(name: str, threshold: float) -> None:
    """Obeys until stdin ends."""
    detector = peers.DETECTORS[name](threshold)
    detector.start()
    loop = asyncio.get_running_loop()
    orders: asyncio.Queue[bytes] = asyncio.Queue()
    loop.add_reader(0, lambda: orders.put_nowait(sys.stdin.buffer.readline()))

    def answer(value: Any) -> None:
        print("answer", json.dumps(value), flush=True)

    answer("ready")
    while line := await orders.get():
        order = json.loads(line)
        await COMMANDS[order["do"]](order, detector, answer)
    detector.stop()


def run() -> None:
    """Runs the loop in this thread."""
    CLOCKS.read()  # opens what no stall is to wait for
    loop_factory = asyncio.new_event_loop
    if sys.argv[2] == "uvloop":
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main(sys.argv[1], float(sys.argv[3])))


if __name__ == "__main__":
    if sys.argv[4:] == ["thread"]:
        beside = threading.Thread(target=run, name="loop")
        beside.start()
        beside.join()
    else:
        run()
