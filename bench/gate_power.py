"""How often gates raise false alarms, and what they find: ours and others', on the same real samples of this machine.

A pool of real pairs of unchanged code is measured once: three workloads (pure-Python hashing on the loop, aiofiles, a
fan-out to threads), on a quiet machine and beside a noisy neighbour. Then CI runs are simulated from the pool: a
matrix of 30 cells a run, each cell's pairs drawn anew; a change is injected by making every burst of the candidate
longer by 2, 5, 10 or 20%. Every rule sees the same pairs in the same interleaved order; measured one side after the
other the others' rules do worse. bench/gate_live.py makes real code slower instead.

With --simulated nothing is measured: the pool is of times drawn from distributions worse and better than the machine's
(bench/simulated_pairs.py), where only our own rule is judged, by far more pairs.

Run it with: python bench/gate_power.py [--pool FILE keeps the samples] [--simulated] [--quick]
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
import contextlib
from dataclasses import replace
import itertools
import math
from pathlib import Path
import random
import statistics
import subprocess
import sys
import time

import msgspec
from scipy import stats
import simulated_pairs

from loopstall.dispatch import DISPATCHES
from loopstall.gate.certainty import undecided
from loopstall.gate.criteria import QUICK_CONFIRM, QUICK_DOUBT, QUICK_ROUNDS, Criteria
from loopstall.gate.evidence import PairedSample, differences
from loopstall.gate.paired import judge
from loopstall.records import Cell, Load, Measured, Pair, Run, Strategy, WorkloadRef
from loopstall.runner import environment
from loopstall.runner.launcher import Launcher
from loopstall.runner.paired import PairedRunner
from loopstall.runner.side import Side
from loopstall.runner.single import Limits
from loopstall.workloads.loader import resolve

FILE = str(Path(__file__).resolve().parent / "power" / "workloads.py")
WORKLOADS = {"hashing": "inline", "files": "async", "fan_out": "to_thread"}
CHANGES = (2, 5, 10, 20)
CELLS = 30
TURNS = 16
Pool = dict[str, list[Pair]]


def cell(name: str) -> Cell:
    """The cell of a workload."""
    return Cell(
        workload=WorkloadRef(path=FILE, name=name),
        strategy=Strategy(loop="asyncio", dispatch=WORKLOADS[name]),
        load=Load(seconds=0.3, concurrency=8),
    )


@contextlib.contextmanager
def neighbour(*, noisy: bool) -> Iterator[None]:
    """A process that keeps about half a core busy, at random, while this is entered."""
    if not noisy:
        yield
        return
    code = (
        "import random, time\n"
        "while True:\n"
        "    end = time.monotonic() + random.expovariate(1 / 0.2)\n"
        "    while time.monotonic() < end: pass\n"
        "    time.sleep(random.expovariate(1 / 0.2))"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def collect(pairs: int, pool: Pool, keep: Callable[[Pool], object]) -> Pool:
    """Measures what the pool lacks, the cells shuffled in every round, and has it kept after each."""
    chance = random.Random(1)
    limits = Limits(time_limit_s=60, memory_limit_bytes=0, threshold_ns=5_000_000)
    sides = (Side(name="baseline"), Side(name="candidate"))
    for noise in ("quiet", "noisy"):
        names = list(WORKLOADS)
        with neighbour(noisy=noise == "noisy"), Launcher() as launcher:
            paired_runner = PairedRunner(launcher, environment.describe(), limits, sides, turns=TURNS)
            for number in range(min(len(pool.get(f"{noise} {name}", ())) for name in names), pairs):
                begun = time.monotonic()
                for name in chance.sample(names, len(names)):
                    one = paired_runner.measure((cell(name), cell(name)), index=number, seed=chance.randrange(2**31))
                    assert one.base.error is None, one.base.error
                    assert one.head.error is None, one.head.error
                    pool.setdefault(f"{noise} {name}", []).append(slim(one))
                keep(pool)
                left = (time.monotonic() - begun) * (pairs - number - 1) / 60
                print(f"{noise}: round {number + 1} of {pairs}, {left:.0f} min left", file=sys.stderr, flush=True)
    return pool


def slim(one: Pair) -> Pair:
    """The pair without what no rule looks at."""

    def light(run: Run) -> Run:
        return replace(run, measured=replace(figures(run), stalls=figures(run).stalls[:3]))

    return Pair(base=light(one.base), head=light(one.head))


def figures(run: Run) -> Measured:
    """What a run measured; the pool has none that failed."""
    assert run.measured is not None
    return run.measured


def values(pairs: Sequence[Pair], side: str) -> list[float]:
    """Times a job of every burst of a side, in ns."""
    return [burst.wall_ns / burst.jobs for pair in pairs for burst in figures(getattr(pair, side)).bursts]


def processes(pairs: Sequence[Pair], side: str) -> list[float]:
    """The median time a job of every process of a side."""
    return [statistics.median(values([pair], side)) for pair in pairs]


def pytest_benchmark(pairs: Sequence[Pair]) -> bool:
    """--benchmark-compare-fail=mean:5%, of one process a side."""
    base, head = (statistics.mean(values(pairs[:1], side)) for side in ("base", "head"))
    return head / base > 1.05


def pyperf(pairs: Sequence[Pair]) -> bool:
    """compare_to: 20 processes of 3 values, slower and a t-test at 95%."""
    base, head = ([v for pair in pairs[:20] for v in values([pair], side)[:3]] for side in ("base", "head"))
    return statistics.mean(head) > statistics.mean(base) and stats.ttest_ind(base, head).pvalue < 0.05


def asv(pairs: Sequence[Pair]) -> bool:
    """Mann-Whitney at 0.002 over all values of two processes, and a factor of 1.1."""
    base, head = (values(pairs[:2], side) for side in ("base", "head"))
    worse = stats.mannwhitneyu(head, base, alternative="greater").pvalue < 0.002
    return bool(worse and statistics.median(head) > 1.1 * statistics.median(base))


def benchstat(pairs: Sequence[Pair]) -> bool:
    """Mann-Whitney at 0.05 over ten processes a side, the delta shown where it is significant."""
    base, head = (processes(pairs[:10], side) for side in ("base", "head"))
    return bool(stats.mannwhitneyu(head, base).pvalue < 0.05 and statistics.median(head) > statistics.median(base))


OTHERS: dict[str, Callable[[Sequence[Pair]], bool]] = {
    "pytest-benchmark mean:5%": pytest_benchmark,
    "pyperf compare_to": pyperf,
    "asv": asv,
    "benchstat": benchstat,
}


def draw(pool: Pool, key: str, count: int, chance: random.Random) -> tuple[Pair, ...]:
    """Pairs of a case, with replacement."""
    return tuple(chance.choices(pool[key], k=count))


def symmetric(pool: Pool) -> Pool:
    """The pool and the mirror image of every pair: both sides are the same code, either may be the candidate."""
    return {key: [*pairs, *(Pair(base=one.head, head=one.base) for one in pairs)] for key, pairs in pool.items()}


def slower(pool: Pool, change: int) -> Pool:
    """The pool with every burst of the candidate made longer by so many percent."""

    def scaled(one: Pair) -> Pair:
        measured = figures(one.head)
        bursts = tuple(
            replace(b, wall_ns=round(b.wall_ns * (1 + change / 100)), cpu_ns=round(b.cpu_ns * (1 + change / 100)))
            for b in measured.bursts
        )
        return Pair(base=one.base, head=replace(one.head, measured=replace(measured, bursts=bursts)))

    return {key: [scaled(one) for one in pairs] for key, pairs in pool.items()}


def sample(where: Cell, pool: Pool, key: str, rules: Criteria, chance: random.Random) -> PairedSample:
    """Measures a cell of a matrix as the gate does, from look to look."""
    item = PairedSample(cell=where)
    for look in rules.looks(CELLS):
        item = replace(item, pairs=item.pairs + draw(pool, key, look.pairs - len(item.pairs), chance))
        if not undecided(item, rules, CELLS):
            break
    return item


def gate(pool: Pool, keys: Sequence[str], rules: Criteria, chance: random.Random) -> tuple[set[str], int]:
    """What our gate says of a matrix: which verdicts there are, and how many pairs were measured."""
    measured = [
        sample(replace(cell(key.split()[1]), params=(("cell", number),)), pool, key, rules, chance)
        for number, key in enumerate(keys)
    ]
    return {said.verdict for said in judge(measured, rules)}, sum(len(item.pairs) for item in measured)


def interval(hits: int, runs: int) -> str:
    """A share with its 95% interval (Clopper and Pearson)."""
    bounds = stats.binomtest(hits, runs).proportion_ci(0.95)
    return f"{hits / runs:.3f} [{bounds.low:.3f}, {bounds.high:.3f}]"


def false_alarms(pool: Pool, noise: str, runs: int, rules: Criteria, *, others: bool) -> None:
    """Prints how often unchanged matrices are said to have changed."""
    chance = random.Random(2)
    keys = [f"{noise} {name}" for name, _ in zip(itertools.cycle(WORKLOADS), range(CELLS), strict=False)]
    said, pairs = zip(*(gate(pool, keys, rules, chance) for _ in range(runs)), strict=True)
    alarms = interval(sum("regressed" in words for words in said), runs)
    print(f"  {noise:6} loopstall                  {alarms}; {sum(pairs) / (runs * CELLS):.1f} pairs a cell;"
          f" improved: {interval(sum('improved' in words for words in said), runs)}", flush=True)  # fmt: skip
    for label, rule in OTHERS.items() if others else ():
        tries = min(runs, max(100, runs // 10))
        hits = sum(any(rule(draw(pool, key, 20, chance)) for key in keys) for _ in range(tries))
        print(f"  {noise:6} {label:26} {interval(hits, tries)}", flush=True)


def simulate(pool: Pool, runs: int, rules: Criteria, *, others: bool) -> None:
    """Prints the tables."""
    chance = random.Random(2)
    kinds = list(dict.fromkeys(key.split()[0] for key in pool))
    print(f"\nfalse alarms of {CELLS} unchanged cells, in {runs} simulated CI runs")
    for noise in kinds:
        false_alarms(pool, noise, runs, rules, others=others)
    print(f"\npower: one changed cell of {CELLS}, {'/'.join(WORKLOADS)}; and the pairs until that was said")
    for noise in kinds:
        for change in (*CHANGES, *(-change for change in CHANGES)):
            size = f"{'-+'[change > 0]}{abs(change):2}%"
            changed = slower(pool, change)
            word = "regressed" if change > 0 else "improved"
            shares = [power((pool, changed), f"{noise} {name}", runs, rules, word) for name in WORKLOADS]
            print(
                f"  {noise:6} {size} loopstall                  {'  '.join(shares)}",
                flush=True,
            )
            for label, rule in OTHERS.items() if others and change > 0 else ():
                tries = min(runs, max(100, runs // 5))
                found = [
                    sum(rule(draw(changed, f"{noise} {name}", 20, chance)) for _ in range(tries)) for name in WORKLOADS
                ]
                print(
                    f"  {noise:6} {size} {label:26} {'  '.join(interval(hits, tries) for hits in found)}",
                    flush=True,
                )


def power(pools: tuple[Pool, Pool], key: str, runs: int, rules: Criteria, word: str) -> str:
    """How often the changed cell is found; the others are unchanged and count for the correction alone."""
    pool, changed = pools
    chance = random.Random(4)
    hits = pairs = 0
    where = cell(key.split()[1])
    rest = [
        PairedSample(cell=replace(where, params=(("cell", n),)), pairs=draw(pool, key, 1, chance))
        for n in range(CELLS - 1)
    ]
    for _ in range(runs):
        item = sample(where, changed, key, rules, chance)
        if judge([item, *rest], rules)[0].verdict == word:
            hits += 1
            pairs += len(item.pairs)
    return f"{interval(hits, runs)} {pairs / max(1, hits):4.1f}"


def cost(pool: Pool) -> None:
    """Prints what measuring a cell took, beside pyperf's default of 20 processes a side."""
    seconds = [pair.base.process_ns / 1e9 for pairs in pool.values() for pair in pairs]
    bursts = [b.wall_ns / 1e9 for pairs in pool.values() for pair in pairs for b in figures(pair.base).bursts]
    quiet = [pair for key, pairs in pool.items() if key.startswith("quiet") for pair in pairs]
    under_load = statistics.mean(
        sum(b.wall_ns for run in (pair.base, pair.head) for b in figures(run).bursts) / 1e9 for pair in quiet
    )
    print(f"a pair takes {statistics.median(seconds):.2f} s, a burst {statistics.median(bursts) * 1e3:.0f} ms,"
          f" {under_load:.2f} s of a pair under load")  # fmt: skip
    screened = Criteria().rounds * under_load
    # 20 processes of one warm-up and three values of at least 0.1 s (pyperf's defaults), for two sides
    default = 2 * 20 * 4 * 0.1
    print(
        f"an unchanged cell that is only screened is under load for {screened:.1f} s; pyperf's default: {default:.0f} s"
    )


def main() -> None:
    """Collects or reads the pool, and simulates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40, help="of each case in the pool")
    parser.add_argument("--runs", type=int, default=1000, help="simulated CI runs of each case")
    parser.add_argument("--pool", type=Path, help="file of the samples: read, and written as they come")
    parser.add_argument("--simulated", action="store_true", help="draw the samples rather than measure them")
    parser.add_argument("--quick", action="store_true", help="judge as a quick gate does")
    options = parser.parse_args()
    rules = Criteria(rounds=QUICK_ROUNDS, confirm=QUICK_CONFIRM, doubt=QUICK_DOUBT) if options.quick else Criteria()
    if options.simulated:
        simulate(simulated_pairs.pool({name: cell(name) for name in WORKLOADS}), options.runs, rules, others=False)
        simulated_pairs.traps(rules, CELLS, options.runs, cell("hashing"))
        return
    for name in WORKLOADS:
        way = cell(name).strategy.dispatch
        if reason := DISPATCHES[way].missing(resolve(FILE, name)):
            sys.exit(f"cannot measure {name} {way}: {reason}")
    known: Pool = {}
    if options.pool and options.pool.exists():
        known = msgspec.json.decode(options.pool.read_bytes(), type=Pool)

    def keep(pool: Pool) -> None:
        if options.pool:
            options.pool.write_bytes(msgspec.json.encode(pool))

    pool = collect(options.pairs, known, keep)
    sizes = {len(pairs) for pairs in pool.values()}
    print(f"{sum(map(len, pool.values()))} real pairs, {sorted(sizes)} of each case")
    cost(pool)
    for key, pairs in pool.items():
        found = [d for one in pairs for d in differences([one], "time_per_job", rules.budget)]
        p = stats.wilcoxon(found).pvalue
        print(f"  {key:14} candidate / baseline {math.expm1(statistics.median(found)):+.2%}, p = {p:.2f}")
    simulate(symmetric(pool), options.runs, rules, others=True)


if __name__ == "__main__":
    main()
