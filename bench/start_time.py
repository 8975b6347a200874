"""How long loopstall takes to start, against an earlier commit: ratios, measured by turns in one run.

The command line's help, the import of the package, and a pytest of one empty test with the plugin loaded and nothing
asked of it. Each pair starts both sides in fresh processes, which of them first changing by chance; a ratio is the
median over the pairs with its interval. It ends with 1 where one is certainly above --limit. Run it with:
python bench/start_time.py --baseline COMMIT
"""

import argparse
from collections.abc import Sequence
import io
import os
from pathlib import Path
import random
import subprocess
import sys
import tarfile
import tempfile
import time

from loopstall.records import Estimate
from loopstall.stats.median import median_estimate

ROOT = Path(__file__).resolve().parent.parent
_WARMING = 2  # pairs that do not count: the first one compiles

COMMANDS = {
    "loopstall --help": ("-m", "loopstall", "--help"),
    "import loopstall": ("-c", "import loopstall"),
    "pytest, plugin off": ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "loopstall.pytest_plugin", "."),
}


def extracted(commit: str, folder: Path) -> Path:
    """Writes the source of a commit and returns what PYTHONPATH has to name.

    Raises:
        SystemExit: git does not know it, or this is no checkout.
    """
    done = subprocess.run(["git", "archive", "--format=tar", commit, "src"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"cannot read commit {commit}: {done.stderr.decode().strip()}; give one that git knows here")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


def took(words: Sequence[str], source: Path, folder: Path) -> tuple[float, float]:
    """Runs this Python once on a source and returns the wall and the CPU time that it took, in ms."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LOOPSTALL", "PYTEST"))}
    variables = {**kept, "PYTHONPATH": str(source), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    began = time.perf_counter_ns()
    with subprocess.Popen([sys.executable, *words], cwd=folder, env=variables, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        wall_ns = time.perf_counter_ns() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} with {source} ended with {process.returncode}")
    return wall_ns / 1e6, 1e3 * (usage.ru_utime + usage.ru_stime)


def pairs(words: Sequence[str], sides: Sequence[Path], count: int, folder: Path) -> list[list[tuple[float, float]]]:
    """Returns what each side took, pair by pair."""
    chance = random.Random(0)
    found = []
    for _ in range(count + _WARMING):
        order = chance.sample(sides, len(sides))
        measured = {side: took(words, side, folder) for side in order}
        found.append([measured[side] for side in sides])
    return found[_WARMING:]


def told(label: str, unit: str, estimate: Estimate) -> str:
    """Returns a line with a ratio and its interval."""
    interval = f"[{estimate.low:.3f}, {estimate.high:.3f}]"
    return f"{label:20} {unit:4} {estimate.value:.3f} {interval} ({estimate.confidence:.1%} over {estimate.runs} pairs)"


def main() -> int:
    """Measures and prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baseline", default="HEAD", metavar="COMMIT", help="what the working tree is held against")
    parser.add_argument("--only", choices=list(COMMANDS), action="append", help="a command to measure, of all of them")
    parser.add_argument("--pairs", type=int, default=30, help="of fresh processes, for each command")
    parser.add_argument("--limit", type=float, default=1.1, help="the greatest ratio of CPU time that is let pass")
    given = parser.parse_args()
    slower = []
    with tempfile.TemporaryDirectory(prefix="loopstall-start-") as name:
        folder = Path(name)
        (folder / "suite").mkdir()
        (folder / "suite" / "test_nothing.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
        sides = (extracted(given.baseline, folder), ROOT / "src")
        print(f"start time, the working tree / {given.baseline}")
        for label in given.only or COMMANDS:
            measured = pairs(COMMANDS[label], sides, given.pairs, folder / "suite")
            for index, unit in enumerate(("wall", "CPU")):
                print(told(label, unit, median_estimate([head[index] / base[index] for base, head in measured])))
            cpu = median_estimate([head[1] / base[1] for base, head in measured])
            if cpu.low > given.limit:
                slower.append(f"{label} takes {cpu.value:.2f} times the CPU time, certainly more than {given.limit:g}")
    print(*slower, sep="\n", end="\n" if slower else "")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
