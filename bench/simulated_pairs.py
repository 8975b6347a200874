"""Pairs whose times are drawn rather than measured, for bench/gate_power.py: distributions that are kind and unkind.

``quiet`` is normal. ``noisy`` has a pair in five whose spread is four times as wide, as beside a neighbour that comes
and goes. ``layout`` has processes that are fast or slow by 5% by the chance of their memory layout and hardly differ
otherwise, so that pairs agree with each other by chance: what a test that believes in normal means fears most.
"""

from collections.abc import Callable, Mapping
import random

from scipy import stats

from loopstall.gate.certainty import undecided
from loopstall.gate.criteria import Criteria
from loopstall.gate.evidence import PairedSample
from loopstall.gate.paired import judge
from loopstall.records import Burst, Cell, Frame, Measured, Pair, Run, Series, Stall
from loopstall.stats import histogram

_NS_PER_JOB = 10_000_000
_PAIRS = 1_500
_BURSTS = 4
_SPREADS = {"hashing": 0.01, "files": 0.04, "fan_out": 0.02}
_STALL = Frame(file="app.py", line=1, function="handler")


def _quiet(chance: random.Random, spread: float) -> float:
    return chance.gauss(0, spread)


def _noisy(chance: random.Random, spread: float) -> float:
    return chance.gauss(0, 2 * spread * (4 if chance.random() < 0.2 else 1))


def _layout(chance: random.Random, spread: float) -> float:
    return 0.05 * (chance.randrange(2) - chance.randrange(2)) + chance.gauss(0, spread / 4)


NOISES: dict[str, Callable[[random.Random, float], float]] = {"quiet": _quiet, "noisy": _noisy, "layout": _layout}
"""What the figure of an unchanged pair, candidate / baseline - 1, is drawn from, by the spread of the workload."""


def _run(cell: Cell, factor: float, stalls_ms: tuple[float, ...] = (), *, bursts: int = 1) -> Run:
    nothing = histogram.from_counts([(1_000, 1)])
    series = Series(width_ns=1, at_ns=(), peak_ns=(), count=0)
    wall_ns = round(_NS_PER_JOB * factor)
    stalls = tuple(Stall(start_ns=0, duration_ns=int(ms * 1e6), culprit=_STALL, stack=(_STALL,)) for ms in stalls_ms)
    measured = Measured(
        jobs=1, wall_ns=1_000_000_000, service=nothing, response=nothing, lag=nothing, lag_uncorrected=nothing,
        response_series=series, lag_series=series, stalls=stalls, stall_count=len(stalls),
        stalled_ns=sum(stall.duration_ns for stall in stalls), threshold_ns=5_000_000, interval_ns=1, setup_ns=0,
        priming_ns=0, cpu_user_ns=0, cpu_system_ns=0, children_cpu_ns=0, peak_memory_bytes=0, switches_voluntary=0,
        switches_involuntary=0, bursts=(Burst(jobs=1, wall_ns=wall_ns, cpu_ns=wall_ns),) * bursts,
    )  # fmt: skip
    return Run(cell=cell, index=0, seed=1, started_at="", process_ns=1, environment=None, measured=measured)


def pool(cells: Mapping[str, Cell]) -> dict[str, list[Pair]]:
    """Returns pairs of unchanged code by noise and workload, as a measured pool has them.

    Args:
        cells: the cell of each workload.
    """
    chance = random.Random(1)
    return {
        f"{noise} {name}": [
            Pair(base=_run(cell, 1.0), head=_run(cell, 1 + draw(chance, _SPREADS[name]))) for _ in range(_PAIRS)
        ]
        for noise, draw in NOISES.items()
        for name, cell in cells.items()
    }


def _stalling(where: Cell, base: tuple[float, ...], head: tuple[float, ...]) -> Pair:
    base_run, head_run = (_run(where, 1, stalls, bursts=_BURSTS) for stalls in (base, head))
    return Pair(base=base_run, head=head_run)


def traps(rules: Criteria, cells: int, runs: int, where: Cell) -> None:
    """Prints how often a stall over the budget is said to be a new trap, and by how many pairs, in a matrix.

    Args:
        rules: of the gate.
        cells: of the matrix.
        runs: simulated ones of each kind.
        where: a cell.
    """
    chance = random.Random(3)

    def often(share: float, length: Callable[[], float]) -> tuple[float, ...]:
        return (length(),) if chance.random() < share else ()

    kinds: dict[str, Callable[[], tuple[tuple[float, ...], tuple[float, ...]]]] = {
        "a call that blocks for 60 ms, new": lambda: ((), (chance.gauss(60.5, 0.3),) * _BURSTS),
        "one of 60 ms in 9 of 10 processes, new": lambda: ((), often(0.9, lambda: chance.gauss(60.5, 0.3))),
        "48 to 52 ms before and after, unchanged": lambda: (
            (chance.gauss(50, 1),) * _BURSTS, (chance.gauss(50, 1),) * _BURSTS,
        ),
        "55 to 500 ms in half the processes, unchanged": lambda: (
            often(0.5, lambda: chance.uniform(55, 500)), often(0.5, lambda: chance.uniform(55, 500)),
        ),
        "60 ms in half the processes, unchanged": lambda: (
            often(0.5, lambda: chance.gauss(60.5, 0.3)), often(0.5, lambda: chance.gauss(60.5, 0.3)),
        ),
    }  # fmt: skip
    print(f"\ntraps: one cell of {cells}; and the pairs until that was said")
    for label, draw in kinds.items():
        hits = pairs = 0
        for _ in range(runs):
            item = PairedSample(cell=where)
            for look in rules.looks(cells):
                more = [draw() for _ in range(look.pairs - len(item.pairs))]
                drawn = tuple(_stalling(where, base, head) for base, head in more)
                item = PairedSample(cell=where, pairs=item.pairs + drawn)
                if not undecided(item, rules, cells):
                    break
            rest = [PairedSample(cell=where)] * (cells - 1)
            if judge([item, *rest], rules)[0].verdict == "regressed":
                hits += 1
                pairs += len(item.pairs)
        bounds = stats.binomtest(hits, runs).proportion_ci(0.95)
        print(f"  {label:46} {hits / runs:.3f} [{bounds.low:.3f}, {bounds.high:.3f}] {pairs / max(1, hits):4.1f}")
