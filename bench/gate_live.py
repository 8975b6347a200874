"""Real gates, run as a user runs them: how many unchanged ones fail, and how many find one cell made 10% slower.

Run it with: python bench/gate_live.py [--gates 30]
"""

import argparse
from collections import Counter
import json
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile
import time

from scipy import stats

LIBRARY = """
import hashlib
import threading

SLOWER = {}

def factor(name):
    on_the_loop = threading.current_thread() is threading.main_thread()
    return SLOWER.get(name, 1.0) if on_the_loop else 1.0

def mixed(name, rounds):
    value = 1
    for _ in range(round(rounds * factor(name))):
        value = (value * 1103515245 + 12345) & 0x7FFFFFFF
    return value

def digest(name, size):
    return hashlib.sha256(bytes(round(size * factor(name)))).hexdigest()
"""
WORKLOADS = """
import mylib
from loopstall import workload

@workload(params={"name": ["a", "b", "c"]})
def mixing(seed, *, name):
    mylib.mixed(name, 20_000)
    return seed

@mixing.verify
def _(result, seed, *, name):
    return result == seed

@workload(params={"name": ["d", "e"]})
def digesting(seed, *, name):
    mylib.digest(name, 2_000_000)
    return seed

@digesting.verify
def _(result, seed, *, name):
    return result == seed
"""
STRATEGIES = ("asyncio", "to_thread")
SLOWED = "mixing[name=b] asyncio/inline"
"""The one cell that the patch reaches: one parameter, and only on the loop's own thread."""


def make(folder: Path, *, slower: bool) -> None:
    """Writes a project of two sides."""
    for side in ("base", "head"):
        (folder / side).mkdir()
        (folder / side / "mylib.py").write_text(LIBRARY, encoding="utf-8")
    if slower:
        patched = LIBRARY.replace("SLOWER = {}", 'SLOWER = {"b": 1.1}')
        (folder / "head" / "mylib.py").write_text(patched, encoding="utf-8")
    (folder / "workloads").mkdir()
    (folder / "workloads" / "lib.py").write_text(WORKLOADS, encoding="utf-8")


def gate(folder: Path, seed: int, given: argparse.Namespace) -> tuple[int, list[str], str]:
    """Runs one gate and returns its exit code, the cells that regressed, and how many got which verdict, in words."""
    results = folder / "results"
    shutil.rmtree(results, ignore_errors=True)
    strategies = [word for name in given.strategy or STRATEGIES for word in ("-s", name)]
    done = subprocess.run(
        [sys.executable, "-m", "loopstall", "gate", "--quick", "mixing", "digesting", *strategies, "--seed", str(seed),
         "--baseline-path", "base", "--candidate-path", "head", "--results", str(results),
         "--max-minutes", str(given.max_minutes)],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in {0, 1, 5}:
        sys.exit(done.stdout + done.stderr)
    data = json.loads((results / "verdicts.json").read_text(encoding="utf-8"))["data"]
    regressed = [f"{item['row']} {item['strategy']}" for item in data if item["verdict"] == "regressed"]
    counts = Counter(item["verdict"] for item in data)
    words = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return done.returncode, regressed, f"{words} by {sum(item['pairs'] for item in data)} pairs"


def main() -> None:
    """Runs the gates and prints what they said."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gates", type=int, default=30, help="of either kind")
    parser.add_argument("--strategy", action="append", choices=STRATEGIES, help="this one alone")
    parser.add_argument("--max-minutes", type=float, default=15, help="of each gate")
    options = parser.parse_args()
    for slower in (False, True):
        right = 0
        for number in range(options.gates):
            with tempfile.TemporaryDirectory() as name:
                make(Path(name), slower=slower)
                begun = time.monotonic()
                status, cells, verdicts = gate(Path(name), number + 1, options)
                good = (status, cells) == (1, [SLOWED]) if slower else status == 0
            right += good
            said = ", ".join(cells) or "nothing"
            took = time.monotonic() - begun
            print(f"{number + 1}: exit {status}, {took:.0f} s, {verdicts}; regressed: {said}", flush=True)
        bounds = stats.binomtest(right, options.gates).proportion_ci(0.95)
        kind = f"with {SLOWED} 10% slower, found and nothing else" if slower else "unchanged, passed"
        print(f"{kind}: {right} of {options.gates}, 95% interval {bounds.low:.2f} to {bounds.high:.2f}", flush=True)


if __name__ == "__main__":
    main()
