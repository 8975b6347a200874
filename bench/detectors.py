"""How right loopstall's monitor is, and what it costs, beside other detectors, on stalls with known truth.

Every detector runs in processes of its own, on asyncio and on uvloop, with the same injected stalls; costs are
ratios to a process without a detector that does the same by turns. Peers come from PyPI into this environment:

    python -m pip install aiodebug pyleak aiocop blockbuster livekit-agents
    python bench/detectors.py

What is not installed is left out, and the table says so. ``--noise`` sets for how many seconds both cores are loaded
by other processes, ``--only`` leaves detectors out, ``--save`` keeps the raw records.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
import contextlib
import importlib.metadata
import json
import os
from pathlib import Path
import random
import statistics
import subprocess
import sys
import time
from typing import Any

from loopstall.loops import LOOPS
from loopstall.stats.median import median_estimate

FOLDER = Path(__file__).parent / "detection"
sys.path.insert(0, str(FOLDER))

import kinds  # noqa: E402  # its folder is no package
import peers  # noqa: E402

THRESHOLD_MS = 5.0
_SETTLING_S = 3  # until an idle process has become quiet
LENGTHS_MS = (2, 5.2, 10, 20, 50, 100, 200)
STEADY_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "1073741824"}
"""asyncio receives into 256 KiB: glibc maps and unmaps that for each request, or it does not, as chance has it, which
changes the cost of a request by a factor of three."""
HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
Record = dict[str, Any]


class DiedError(Exception):
    """A child that has ended."""


class Child:
    """A process that measures one detector on one loop."""

    def __init__(self, name: str, loop: str) -> None:
        command = [sys.executable, str(FOLDER / "child.py"), name, loop, str(THRESHOLD_MS / 1000)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | STEADY_MALLOC,
        )  # fmt: skip
        self.read()

    def tell(self, do: str, **order: Any) -> None:
        """Gives an order."""
        assert self._process.stdin is not None
        print(json.dumps({"do": do, **order}), file=self._process.stdin, flush=True)

    def read(self) -> Any:
        """Returns the answer to the next order that has none yet."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
            print(line, end="")
        assert self._process.stderr is not None
        raise DiedError(self._process.stderr.read()[-2000:])

    def used(self) -> float:
        """Returns the CPU time that the process has taken, in seconds, without asking it."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9

    def ask(self, do: str, **order: Any) -> Any:
        """Gives an order and returns its answer."""
        self.tell(do, **order)
        return self.read()

    def end(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


@contextlib.contextmanager
def children(*wanted: tuple[str, str]) -> Iterator[list[Child]]:
    """Opens several, and ends them."""
    opened: list[Child] = []
    try:
        for name, loop in wanted:
            opened.append(Child(name, loop))
        yield opened
    finally:
        for child in opened:
            child.end()


@contextlib.contextmanager
def hogs(count: int) -> Iterator[None]:
    """Loads the machine's cores from outside."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def matched(record: Record) -> Record | None:
    """Returns the report that an injection got: the longest of half its length and more, or one without a length."""
    known = kinds.KINDS[record["kind"]].known_length
    fitting = [r for r in record["reports"] if r["ns"] == 0 or r["ns"] >= record["ns"] / 2 or not known]
    return max(fitting, key=lambda report: report["ns"], default=None)


def share(hits: int, of: int) -> str:
    """Formats a share."""
    return f"{hits / of:.1%} ({hits}/{of})" if of else "-"


def right_line(record: Record, report: Record) -> bool:
    """Says whether the innermost line that was named is one of the marked ones."""
    in_loop = kinds.KINDS[record["kind"]].in_loop
    named = report.get("lines" if in_loop else "holder_lines") or []
    return bool(named) and named[0] in record["lines"]


def right_cause(record: Record, report: Record) -> bool:
    """Says whether the cause is the true one; a detector that says just "cpu" is right for both kinds of it."""
    truth = kinds.KINDS[record["kind"]].cause
    return report.get("cause") == truth or (report.get("cause") == "cpu" and truth.startswith("cpu"))


def blamed(record: Record) -> bool:
    """Says whether something was reported and not put down to the machine."""
    return any(report.get("cause") != "descheduled" for report in record["reports"])


def score(records: list[Record]) -> dict[str, str]:
    """Returns the figures of one detector on one loop."""
    limit = THRESHOLD_MS * 1e6
    own = [r for r in records if kinds.KINDS[r["kind"]].in_loop]
    beside = [r for r in records if not kinds.KINDS[r["kind"]].in_loop]
    if not HAS_GIL:  # what another thread computes is no stall
        records = own
    long = [r for r in records if r["ns"] >= 2 * limit]
    edge = [r for r in own if limit <= r["ns"] < 1.5 * limit]
    short = [r for r in own if r["ns"] < 0.9 * limit]
    over = [(r, matched(r)) for r in records if r["ns"] >= (limit if kinds.KINDS[r["kind"]].in_loop else 2 * limit)]
    found = [(r, m) for r, m in over if m]
    errors = sorted(abs(m["ns"] - r["ns"]) / 1e6 for r, m in found if kinds.KINDS[r["kind"]].in_loop and m["ns"])
    own_found = [(r, m) for r, m in found if kinds.KINDS[r["kind"]].in_loop]
    gil_found = [(r, m) for r, m in found if not kinds.KINDS[r["kind"]].in_loop]
    told = [(r, m) for r, m in found if m.get("cause")]
    figures = {
        "recall, 2x threshold and more": share(sum(matched(r) is not None for r in long), len(long)),
        "recall at the threshold": share(sum(matched(r) is not None for r in edge), len(edge)),
        "reported though below it": share(sum(bool(r["reports"]) for r in short), len(short)),
        "reported beside a busy thread": "-" if HAS_GIL else share(sum(map(blamed, beside)), len(beside)),
        "length error, median / p95 ms": "-",
        "right line, in the loop": share(sum(right_line(r, m) for r, m in own_found), len(own_found)),
        "right line, who held the GIL": share(sum(right_line(r, m) for r, m in gil_found), len(gil_found)),
        "right cause": share(sum(right_cause(r, m) for r, m in told), len(told)),
    }
    if errors:
        p95 = errors[min(len(errors) - 1, round(0.95 * len(errors)))]
        figures["length error, median / p95 ms"] = f"{statistics.median(errors):.2f} / {p95:.2f}"
    return figures


def confusion(records: list[Record]) -> list[str]:
    """Returns the causes that were told, by kind, as lines of a table."""
    by_kind: dict[str, Counter[str]] = {}
    for record in records:
        report = matched(record)
        if record["ns"] >= THRESHOLD_MS * 1e6 and report and report.get("cause"):
            by_kind.setdefault(record["kind"], Counter())[report["cause"]] += 1
    lines = []
    for kind, told in sorted(by_kind.items()):
        truth = kinds.KINDS[kind].cause
        rest = ", ".join(f"{cause} {count}" for cause, count in told.most_common())
        lines.append(f"    {kind:15} {told[truth] / told.total():6.1%}  {rest}")
    return lines


def missed(records: list[Record]) -> list[str]:
    """Returns what went wrong with ours, a line each, to look into."""
    lines = []
    for record in records:
        report = matched(record)
        if not (HAS_GIL or kinds.KINDS[record["kind"]].in_loop):
            continue
        if record["ns"] < THRESHOLD_MS * 1e6 * (1 if kinds.KINDS[record["kind"]].in_loop else 2):
            continue
        if report is None:
            lines.append(f"    {record['kind']} of {record['ns'] / 1e6:.1f} ms not found: {record['reports']}")
        elif not right_line(record, report) or not right_cause(record, report):
            lines.append(f"    {record['kind']} of {record['ns'] / 1e6:.1f} ms: {json.dumps(report)}")
    return lines


def pairs(name: str, loop: str, what: str, *, processes: int, rounds: int) -> tuple[float, float, float]:
    """Returns the ratio with / without of a cost, with its interval: medians of pairs, a pair of processes a unit."""
    ratios = []
    for number in range(processes):
        order = [(name, loop), ("nothing", loop)]
        with children(*order) as (watched, bare), clients():
            measure = {"turns": _turns, "echo 1": _echo_1, "echo 8": _echo_8}[what]
            values = [measure(watched, bare, random.Random(number * 1000 + r)) for r in range(rounds)]
            ratios.append(statistics.median(values[1:]))
    estimate = median_estimate(ratios)
    return estimate.value, estimate.low, estimate.high


def _turns(watched: Child, bare: Child, chance: random.Random) -> float:
    """Returns the ratio of throughputs of one pair, in an order by chance."""
    first, second = (watched, bare) if chance.random() < 0.5 else (bare, watched)
    took = {first: first.ask("turns", turns=1000), second: second.ask("turns", turns=1000)}
    return float(took[bare] / took[watched])


_CLIENT: dict[Any, Any] = {}
"""The client process, and the servers' ports."""


@contextlib.contextmanager
def clients() -> Iterator[None]:
    """Starts a client, and ends it."""
    command = [sys.executable, str(FOLDER / "client.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        _CLIENT["process"] = process
        yield
        assert process.stdin is not None
        process.stdin.close()
    _CLIENT.clear()


def _echo_1(watched: Child, bare: Child, chance: random.Random) -> float:
    """One request at a time."""
    return _echo(watched, bare, chance, connections=1)


def _echo_8(watched: Child, bare: Child, chance: random.Random) -> float:
    """Eight requests at a time."""
    return _echo(watched, bare, chance, connections=8)


def _echo(watched: Child, bare: Child, chance: random.Random, *, connections: int) -> float:
    """Returns the ratio of the servers' CPU times a request, over short bursts by turns, in an order by chance."""
    client = _CLIENT["process"]
    used = {watched: 0.0, bare: 0.0}
    for _ in range(10):
        for child in sorted(used, key=lambda _: chance.random()):
            if child not in _CLIENT:
                _CLIENT[child] = child.ask("serve")
            before = child.ask("cpu")
            print(_CLIENT[child], connections, 800, file=client.stdin, flush=True)
            client.stdout.readline()
            used[child] += child.ask("cpu") - before
    return used[watched] / used[bare]


def main() -> None:
    """Measures and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, help="injections of each kind and length")
    parser.add_argument("--length", type=float, action="append", help="of injections in ms; more than once")
    parser.add_argument("--own-repeat", type=int, default=20, help="the same for loopstall")
    parser.add_argument("--clean", type=float, default=10, help="seconds of a clean run")
    parser.add_argument("--noise", type=float, default=10, help="seconds with both cores loaded by others")
    parser.add_argument("--processes", type=int, default=7, help="pairs of processes for a cost; 0 for none")
    parser.add_argument("--rounds", type=int, default=9, help="measurements of a pair of processes")
    parser.add_argument("--idle", type=float, default=8, help="seconds that an idle loop's CPU time is taken over")
    parser.add_argument("--only", action="append", choices=list(peers.DETECTORS), help="this detector; more than once")
    parser.add_argument("--loop", action="append", choices=("asyncio", "uvloop"))
    parser.add_argument("--save", type=Path, help="file for the raw records")
    options = parser.parse_args()
    raw: dict[str, Any] = {}
    for name in options.only or [name for name in peers.DETECTORS if name != "nothing"]:
        try:
            version = peers.DETECTORS[name].version()
        except importlib.metadata.PackageNotFoundError:
            print(f"\n{name}: skipped, it is not installed here (pip install {peers.DETECTORS[name].package})")
            continue
        for loop in options.loop or ("asyncio", "uvloop"):
            blind = peers.DETECTORS[name].not_on_uvloop if loop == "uvloop" else ""
            if reason := LOOPS[loop].missing() or blind:
                print(f"\n{name} on {loop}: skipped, {reason}")
                continue
            print(f"\n{name} {version} on {loop}", flush=True)
            try:
                raw[f"{name} {loop}"] = _measure(name, loop, options)
            except DiedError as error:
                print(f"  it has died: {error}")
    if options.save:
        options.save.write_text(json.dumps(raw), encoding="utf-8")


def _measure(name: str, loop: str, options: argparse.Namespace) -> list[Record]:
    repeat = options.own_repeat if name == "loopstall" else options.repeat
    records = _measure_rightness(name, loop, options.length or LENGTHS_MS, repeat) if repeat else []
    for label, seconds, strangers in (
        ("reported on a clean run", options.clean, 0),
        ("reported under noise", options.noise, 2 * (os.cpu_count() or 1)),
    ):
        if seconds:
            _measure_noise(name, loop, label, seconds, strangers)
    if options.processes:
        _measure_cost(name, loop, options)
    return records


def _measure_rightness(name: str, loop: str, lengths: Sequence[float], repeat: int) -> list[Record]:
    with children((name, loop)) as (child,):
        records = child.ask("inject", kinds=list(kinds.KINDS), ms=lengths, repeat=repeat, seed=1)
    for figure, value in score(records).items():
        print(f"  {figure:34} {value}", flush=True)
    if any(report.get("cause") for record in records for report in record["reports"]):
        print("  causes told, by kind:", *confusion(records), sep="\n")
    if name == "loopstall" and missed(records):
        print("  what was wrong:", *(line[:200] for line in missed(records)), sep="\n")
    return list(records)


def _measure_noise(name: str, loop: str, label: str, seconds: float, strangers: int) -> None:
    with children((name, loop)) as (child,), hogs(strangers):
        seen = child.ask("idle", tasks=20, seconds=seconds)
    print(f"  {label:34} {len(seen['reports'])} in {seconds:g} s {_causes(seen)}", flush=True)
    for report in seen["reports"]:
        if report.get("cause") and report["cause"] != "descheduled":
            print(f"    {json.dumps(report)}")


def _measure_cost(name: str, loop: str, options: argparse.Namespace) -> None:
    with children((name, loop), ("nothing", loop)) as (watched, bare):
        for child in (watched, bare):
            child.tell("idle", tasks=0, seconds=options.idle + _SETTLING_S + 1)
        time.sleep(_SETTLING_S)
        before = [child.used() for child in (watched, bare)]
        time.sleep(options.idle)
        idles = [(child.used() - used) / options.idle for child, used in zip((watched, bare), before, strict=True)]
        for child in (watched, bare):
            child.read()
    print(f"  {'idle loop, share of a core':34} {idles[0]:.2%} (without: {idles[1]:.2%})", flush=True)
    for label, what in (
        ("echo, CPU a request, 1 at a time", "echo 1"),
        ("echo, CPU a request, 8 at a time", "echo 8"),
        ("sleep(0), throughput", "turns"),
    ):
        value, low, high = pairs(name, loop, what, processes=options.processes, rounds=options.rounds)
        print(f"  {label:34} {value:.3f} [{low:.3f}, {high:.3f}]", flush=True)


def _causes(seen: Record) -> str:
    told = Counter(report["cause"] for report in seen["reports"] if report.get("cause"))
    return ", ".join(f"{cause} {count}" for cause, count in told.most_common())


if __name__ == "__main__":
    main()
