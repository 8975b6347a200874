"""Whether loop lag means the same on every loop: that of loops which do nothing else, side by side.

Each pair is one fresh process in which asyncio and another loop idle by turns, which of them first changing from pair
to pair; the ratio of the two medians is taken, and its interval over the processes. With --fallback the loops' own
timers stand in for the kernel's, as they do where the system has none. Run it with: python bench/idle_lag.py
"""

import argparse
from collections.abc import Sequence
import json
import subprocess
import sys

from loopstall.loops import LOOPS
from loopstall.monitor import LagMeter
from loopstall.records.units import format_ns
from loopstall.stats import histogram
from loopstall.stats.median import median_estimate

BASE = "asyncio"
COMPARABLE = 10.0
"""An idle loop's lag is the time that the kernel takes to wake it: a loop whose own work beside it makes ten times as
much of it would have to compute for half a millisecond each time; uvloop's rounding makes a thousand times as much, or
nothing at all."""


def idle(name: str, seconds: float, *, fallback: bool) -> dict[str, float]:
    """Returns the figures of a loop that does nothing else."""
    loop = LOOPS[name]

    async def main() -> LagMeter:
        adapter = loop.adapter()
        meter = LagMeter(later=adapter.later, readable=None if fallback else adapter.readable)
        meter.start()
        await adapter.sleep(seconds)
        meter.stop()
        return meter

    meter = loop.run(main)
    lag = histogram.from_counts(meter.lags.counts())  # uncorrected: an idle loop blocks nobody, the machine may
    return {"p50": lag.p50_ns, "p99": lag.p99_ns, "beats": lag.count, "early": meter.early}


def pair(name: str, number: int, seconds: float, *, fallback: bool) -> dict[str, dict[str, float]]:
    """Returns the figures of asyncio and of another loop, measured one after the other."""
    order = (BASE, name) if number % 2 else (name, BASE)
    return {one: idle(one, seconds, fallback=fallback) for one in order}


def told(name: str, pairs: Sequence[dict[str, dict[str, float]]]) -> float:
    """Prints what pairs come to, and returns the ratio."""
    for one in (BASE, name):
        p50, p99 = (median_estimate([item[one][key] for item in pairs]) for key in ("p50", "p99"))
        early = sum(item[one]["early"] for item in pairs)
        figures = ", ".join(
            f"{key} {format_ns(found.value)} [{format_ns(found.low)}, {format_ns(found.high)}]"
            for key, found in (("p50", p50), ("p99", p99))
        )
        print(f"  {one:8} {figures}, {early:.0f} early beats")
    ratio = median_estimate([item[name]["p50"] / item[BASE]["p50"] for item in pairs])
    kept = 1 / COMPARABLE < ratio.value < COMPARABLE
    print(
        f"  {name} / {BASE}, p50: {ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
        f" ({ratio.confidence:.1%} over {ratio.runs} processes): {'comparable' if kept else 'NOT comparable'}",
        flush=True,
    )
    return ratio.value


def main() -> int:
    """Prints the figures and says whether those of all loops are comparable."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=9, help="fresh processes a loop")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each loop idles")
    parser.add_argument("--fallback", action="store_true", help="by the loops' own timers")
    parser.add_argument("--smoke", action="store_true", help="seconds, not a minute")
    parser.add_argument("--worker", nargs=2, metavar=("LOOP", "NUMBER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        name, number = options.worker
        print(json.dumps(pair(name, int(number), options.seconds, fallback=options.fallback)))
        return 0
    processes, seconds = (5, 0.2) if options.smoke else (options.processes, options.seconds)
    good = True
    for name, loop in LOOPS.items():
        if name == BASE:
            continue
        reason = loop.missing()
        if reason:
            print(f"{name}: n/a: {reason}")
            continue
        print(f"idle {BASE} and {name}, {processes} processes, {seconds:g} s each:")
        common = [sys.executable, __file__, "--seconds", str(seconds), *(["--fallback"] if options.fallback else [])]
        pairs = [
            json.loads(
                subprocess.run([*common, "--worker", name, str(n)], capture_output=True, text=True, check=True).stdout
            )
            for n in range(processes)
        ]
        ratio = told(name, pairs)
        good = good and 1 / COMPARABLE < ratio < COMPARABLE
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
