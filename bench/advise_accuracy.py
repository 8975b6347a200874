"""How often ``loopstall advise`` is right: its choice for twenty functions, beside what a real server says.

The truth comes from elsewhere than the advice: for every way a server of its own is started, with a light route and a
heavy one that calls the function; a second process sends light requests 200 times a second and heavy ones at the
function's rate, open loop, and times both from when they were due. A way's burden is the median of the heavy answers
plus the light ones' 99th percentile; each is measured five times by turns, and the best is the simplest way (inline,
then a thread, then processes) that none beats by 15% and 0.3 ms. Where no way answers 90% of the heavy requests in
time, the truth is a task queue; where nothing beats inline and light requests wait 5 ms there, it is native code.

    python bench/advise_accuracy.py
"""

import argparse
import asyncio
import json
from pathlib import Path
import random
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

FOLDER = Path(__file__).parent / "advising"
WAYS = ("inline", "to_thread", "processes")
LIGHT_RATE = 200
LATE_S = 2.0  # after the last request was due, what is not answered has failed

sys.path.insert(0, str(FOLDER))
from functions import FUNCTIONS  # noqa: E402  # its folder is no package


class Client:
    """Sends requests at given times over as many connections as it takes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._open: list[asyncio.StreamWriter] = []

    async def ask(self, what: bytes, due: float) -> float | None:
        """Sends one request; returns how long after it was due it was answered in s, None where it failed."""
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
        self._open.append(writer)
        writer.write(what + b"\n")
        answer = await reader.readline()
        took = time.perf_counter() - due
        self._idle.append((reader, writer))
        return took if answer == b"done\n" else None

    def close(self) -> None:
        """Ends all connections."""
        for writer in self._open:
            writer.close()


async def load(port: int, rate: float, seconds: float, seed: int) -> tuple[list[float], list[float], float]:
    """Returns the response times in s of light and heavy requests; those that failed are left out."""
    rng = random.Random(seed)
    plan = [(number / LIGHT_RATE, b"light") for number in range(int(seconds * LIGHT_RATE))]
    at = rng.expovariate(rate)
    while at < seconds:
        plan.append((at, b"heavy"))
        at += rng.expovariate(rate)
    plan.sort()
    client, tasks = Client(port), []
    times: dict[bytes, list[float]] = {b"light": [], b"heavy": []}
    begun = time.perf_counter() + 0.05

    async def one(what: bytes, due: float) -> None:
        took = await client.ask(what, due)
        if took is not None:
            times[what].append(took)

    for offset, what in plan:
        wait = begun + offset - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(what, begun + offset)))
    await asyncio.wait(tasks, timeout=LATE_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    client.close()
    heavy_due = sum(what == b"heavy" for _, what in plan)
    in_time = sum(took < LATE_S for took in times[b"heavy"])
    return times[b"light"], times[b"heavy"], in_time / max(1, heavy_due)


def measure(name: str, way: str, seconds: float, seed: int) -> tuple[float, float, float]:
    """Returns a way's burden in ms, its light requests' 99th percentile in ms, and the share answered in time."""
    rate, giver = FUNCTIONS[name]
    process = subprocess.Popen(
        [sys.executable, str(FOLDER / "server.py"), way, "functions", name.partition(" ")[0], giver],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        light, heavy, answered = asyncio.run(load(port, rate, seconds, seed))
    finally:
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if len(light) < 2 or not heavy:
        return float("inf"), float("inf"), answered
    p99 = statistics.quantiles(light, n=100)[98] * 1e3
    return statistics.median(heavy) * 1e3 + p99, p99, answered


def truth(name: str, repeat: int, seconds: float) -> tuple[str, dict[str, float]]:
    """Returns what is best, and each way's burden in ms."""
    found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
    for number in range(repeat):
        for way in random.Random(number).sample(WAYS, len(WAYS)):
            found[way].append(measure(name, way, seconds, number))
    burdens = {way: statistics.median(item[0] for item in items) for way, items in found.items()}
    if all(statistics.median(item[2] for item in items) < 0.9 for items in found.values()):
        return "task queue", burdens
    best = "inline"
    for way in WAYS[1:]:
        if burdens[way] * 1.15 < burdens[best] and burdens[best] - burdens[way] > 0.3:
            best = way
    stuck = best == "inline" and statistics.median(item[1] for item in found[best]) >= 5
    return ("native code" if stuck else best), burdens


def advised(name: str, folder: str) -> str:
    """Returns what the advice says."""
    rate, giver = FUNCTIONS[name]
    out = Path(folder) / "advice.json"
    words = [f"{FOLDER / 'functions.py'}:{name.partition(' ')[0]}", "--rate", str(rate), "-o", str(out)]
    if giver:
        words += ["--args-from", f"{FOLDER / 'functions.py'}:{giver}"]
    done = subprocess.run(
        [sys.executable, "-m", "loopstall", "advise", *words], capture_output=True, text=True, check=False
    )
    if done.returncode not in {0, 5}:
        return done.stderr.strip()
    document: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return document["choice"] or "(none)"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, help="measurements of every way")
    parser.add_argument("--seconds", type=float, default=2.0, help="of load, each")
    parser.add_argument("--only", action="append", choices=FUNCTIONS, help="this function; more than once")
    options = parser.parse_args()
    right, silent, names = 0, 0, options.only or list(FUNCTIONS)
    print(
        f"{'function':22}{'advice':14}{'truth':14}{'inline':>10}{'to_thread':>12}{'processes':>12}  regret", flush=True
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            best, burdens = truth(name, options.repeat, options.seconds)
            choice = advised(name, folder)
            right += choice == best
            silent += choice == "(none)"
            regret = "" if choice == best else "unknown"
            if choice != best and choice in burdens:
                least = min(burdens.values())
                regret = f"{burdens[choice] / least - 1:.0%}"
            columns = "".join(
                f"{burdens[way]:>{width}.1f} ms"[-width:] for way, width in zip(WAYS, (10, 12, 12), strict=True)
            )
            print(f"{name:22}{choice:14}{best:14}{columns}  {regret}", flush=True)
    print(f"right on {right} of {len(names)}, no recommendation on {silent}")


if __name__ == "__main__":
    main()
