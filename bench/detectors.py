"""How right loopstall's monitor is, and what it costs, beside other detectors, on stalls with known truth.

Every detector runs in processes of its own, on asyncio and on uvloop, with the same injected stalls; costs are
ratios to a process without a detector that does the same by turns. Peers come from PyPI into this environment:

    python -m pip install aiodebug pyleak aiocop blockbuster livekit-agents
    python bench/detectors.py

What is not installed is left out, and the table says so. Shares stand with their 95% intervals. Beside the stalls of a
process that is warm and alone there are those while other processes load all cores (``--busy``), the first ones of
fresh processes (``--cold``), hangs of seconds (``--hang``), and for a while none at all, on a quiet machine
(``--clean``) and on a loaded one (``--noise``). ``--thread`` has the loop run in another thread than the main one,
``--only`` and ``--kind`` leave detectors and kinds out; ``--save`` keeps the raw records, and ``--from`` scores kept
ones anew.
"""

import argparse
import importlib.metadata
import json
from pathlib import Path
import platform
import sys
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "detection"))

import costs  # its folder is no package
import kinds
import peers
from processes import DiedError
import rightness
import tables

from loopstall.loops import LOOPS

THRESHOLD_MS = 5.0
LENGTHS_MS = (2, 5.2, 10, 20, 50, 100, 200)
HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()


def arguments() -> argparse.Namespace:
    """Returns the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="injections of each kind and length")
    parser.add_argument("--own-repeat", type=int, default=10, help="the same for loopstall")
    parser.add_argument("--length", type=float, action="append", help="of injections in ms; more than once")
    parser.add_argument("--kind", action="append", help="a kind or a group of kinds; more than once")
    parser.add_argument("--busy", type=int, default=2, help="injections of each while others load all cores")
    parser.add_argument("--cold", type=int, default=8, help="first stalls of fresh processes, of each kind and length")
    parser.add_argument("--hang", type=float, default=3, help="seconds of a hang; 0 for none")
    parser.add_argument("--clean", type=float, default=60, help="seconds of a clean run")
    parser.add_argument("--noise", type=float, default=60, help="seconds with all cores loaded by others")
    parser.add_argument("--processes", type=int, default=7, help="pairs of processes for a cost; 0 for none")
    parser.add_argument("--rounds", type=int, default=9, help="measurements of a pair of processes")
    parser.add_argument("--idle", type=float, default=8, help="seconds that an idle loop's CPU time is taken over")
    parser.add_argument("--only", action="append", choices=list(peers.DETECTORS), help="this detector; more than once")
    parser.add_argument("--loop", action="append", choices=("asyncio", "uvloop"))
    parser.add_argument("--thread", action="store_true", help="the loop runs in another thread than the main one")
    parser.add_argument("--save", type=Path, help="file for the raw records")
    parser.add_argument("--from", type=Path, dest="kept", metavar="FILE", help="scores these records, measures none")
    options = parser.parse_args()
    if not kinds.chosen(options.kind):
        parser.error(f"no such kind; there are {', '.join(kinds.KINDS)}")
    return options


def main() -> None:
    """Measures, or takes what was kept, and prints the tables."""
    options = arguments()
    if options.kept:
        for result in json.loads(options.kept.read_text(encoding="utf-8")):
            print("", tables.heading(result), *tables.lines(result), sep="\n")
            print(*(tables.row(*cost) for cost in result["costs"]), sep="\n")
        return
    results = _measure_all(options)
    if options.save:
        options.save.write_text(json.dumps(results), encoding="utf-8")


def _measure_all(options: argparse.Namespace) -> list[tables.Result]:
    names = []
    for name in kinds.chosen(options.kind):
        if reason := kinds.KINDS[name].missing():
            print(f"{name}: skipped, {reason}")
        else:
            names.append(name)
    own, others = (_plan(options, names, repeat) for repeat in (options.own_repeat, options.repeat))
    sizes = rightness.sizes_for(max(own, others, key=lambda plan: plan.repeat), THRESHOLD_MS)
    results = []
    for detector, version in _installed(options):
        plan = own if detector == "loopstall" else others
        for loop in options.loop or ("asyncio", "uvloop"):
            blind = peers.DETECTORS[detector].not_on_uvloop if loop == "uvloop" else ""
            if reason := LOOPS[loop].missing() or blind:
                print(f"\n{detector} on {loop}: skipped, {reason}")
                continue
            results.append(_result(detector, version, loop, in_thread=options.thread))
            _measure(results[-1], plan, sizes, options)
    return results


def _plan(options: argparse.Namespace, names: list[str], repeat: int) -> rightness.Plan:
    return rightness.Plan(
        names=names, lengths_ms=options.length or LENGTHS_MS, repeat=repeat, busy=options.busy, cold=options.cold,
        hang_s=options.hang, clean_s=options.clean, noise_s=options.noise,
    )  # fmt: skip


def _installed(options: argparse.Namespace) -> list[tuple[str, str]]:
    """Returns the detectors that are here, with their versions, and says which are not."""
    found = []
    for name in options.only or [name for name in peers.DETECTORS if name != "nothing"]:
        try:
            found.append((name, peers.DETECTORS[name].version()))
        except importlib.metadata.PackageNotFoundError:
            print(f"\n{name}: skipped, it is not installed here (pip install {peers.DETECTORS[name].package})")
    return found


def _result(detector: str, version: str, loop: str, *, in_thread: bool) -> tables.Result:
    return {
        "detector": detector, "version": version, "loop": loop, "thread": in_thread, "has_gil": HAS_GIL,
        "python": platform.python_version(), "threshold_ms": THRESHOLD_MS, "records": [], "costs": [],
    }  # fmt: skip


def _measure(result: tables.Result, plan: rightness.Plan, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Measures a detector on a loop, and prints its figures; what it leaves before it dies counts."""
    wanted: Any = (result["detector"], result["loop"], result["thread"])
    print(f"\n{tables.heading(result)}", flush=True)
    try:
        for record in rightness.measured(wanted, plan, sizes, THRESHOLD_MS):
            result["records"].append(record)
    except DiedError as error:
        print(f"  it has died: {error}")
    for line in tables.lines(result):
        print(line, flush=True)
    if options.processes:
        effort = costs.Effort(options.processes, options.rounds, options.idle)
        for cost in costs.costs(wanted, effort, THRESHOLD_MS):
            result["costs"].append(cost)
            print(tables.row(*cost), flush=True)


if __name__ == "__main__":
    main()
