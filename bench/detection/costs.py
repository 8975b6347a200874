"""What a detector costs: an idle loop's share of a core, and ratios to a process without one, by turns."""

from collections.abc import Iterator
import contextlib
from dataclasses import dataclass
import random
import statistics
import subprocess
import sys
import time
from typing import Any

from processes import FOLDER, Child, Wanted, children  # its folder is no package

from loopstall.stats.median import median_estimate

_SETTLING_S = 3  # until an idle process has become quiet
COSTS = {
    "echo, CPU a request, 1 at a time": "echo 1",
    "echo, CPU a request, 8 at a time": "echo 8",
    "sleep(0), throughput": "turns",
}


@dataclass(frozen=True)
class Effort:
    """How many pairs of processes, how many measurements of each, and for how long an idle loop is watched."""

    processes: int
    rounds: int
    idle_s: float


def costs(wanted: Wanted, effort: Effort, threshold_ms: float) -> Iterator[tuple[str, str]]:
    """Yields the costs of a detector, as (figure, value)."""
    bare = ("nothing", *wanted[1:])
    with children(wanted, bare, threshold_ms=threshold_ms) as both:
        for child in both:
            child.tell("idle", tasks=0, seconds=effort.idle_s + _SETTLING_S + 1)
        time.sleep(_SETTLING_S)
        before = [child.used() for child in both]
        time.sleep(effort.idle_s)
        idles = [(child.used() - used) / effort.idle_s for child, used in zip(both, before, strict=True)]
        for child in both:
            child.read()
    yield "idle loop, share of a core", f"{idles[0]:.2%} (without: {idles[1]:.2%})"
    for label, what in COSTS.items():
        ratios = []
        for number in range(effort.processes):
            with children(wanted, bare, threshold_ms=threshold_ms) as (watched, plain), _client() as client:
                bench = _Bench(watched, plain, client)
                ratios.append(bench.ratio(what, [random.Random(number * 1000 + r) for r in range(effort.rounds)]))
        estimate = median_estimate(ratios)
        yield label, f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


@contextlib.contextmanager
def _client() -> Iterator["subprocess.Popen[str]"]:
    """Starts a client, and ends it."""
    command = [sys.executable, str(FOLDER / "client.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


class _Bench:
    """A watched process, one without a detector, and the client of both."""

    def __init__(self, watched: Child, bare: Child, client: "subprocess.Popen[str]") -> None:
        self._both = (watched, bare)
        self._client = client
        self._ports: dict[Child, int] = {}

    def ratio(self, what: str, chances: list[random.Random]) -> float:
        """Returns the median of ratios with / without, the first left out."""
        measure = {"turns": self._turns, "echo 1": self._echo_1, "echo 8": self._echo_8}[what]
        return statistics.median([measure(chance) for chance in chances][1:])

    def _in_order(self, chance: random.Random) -> list[Child]:
        return sorted(self._both, key=lambda _: chance.random())

    def _turns(self, chance: random.Random) -> float:
        """Returns the ratio of throughputs of one pair, in an order by chance."""
        took: dict[Any, float] = {child: child.ask("turns", turns=1000) for child in self._in_order(chance)}
        watched, bare = self._both
        return took[bare] / took[watched]

    def _echo_1(self, chance: random.Random) -> float:
        """One request at a time."""
        return self._echo(chance, connections=1)

    def _echo_8(self, chance: random.Random) -> float:
        """Eight requests at a time."""
        return self._echo(chance, connections=8)

    def _echo(self, chance: random.Random, *, connections: int) -> float:
        """Returns the ratio of the servers' CPU times a request, over short bursts by turns, in an order by chance."""
        watched, bare = self._both
        used = {watched: 0.0, bare: 0.0}
        for _ in range(10):
            for child in self._in_order(chance):
                used[child] += self._burst(child, connections)
        return used[watched] / used[bare]

    def _burst(self, child: Child, connections: int) -> float:
        """Returns the CPU time that a server takes for a burst of requests."""
        if child not in self._ports:
            self._ports[child] = child.ask("serve")
        before: float = child.ask("cpu")
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        print(self._ports[child], connections, 800, file=self._client.stdin, flush=True)
        self._client.stdout.readline()
        return float(child.ask("cpu")) - before
