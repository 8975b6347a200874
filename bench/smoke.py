"""Runs a session of noxfile.py in its smoke form: seconds instead of minutes, and what comes out is looked at.

    python bench/smoke.py SESSION     in that session's environment; nox -s SESSION -- --smoke does it
    python bench/smoke.py --list      every session that has one

It prints one line, with what was there and how long it took, and fails where a file or a figure is missing. How good
the figures are is not judged: that takes the whole session and a quiet machine.
"""

import argparse
from collections.abc import Callable
import json
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile

from smoke_checks import NUMBER, OURS, ROOT, MissingError, found, need, python, result, run, sources, strategies
from smoke_watching import attached, detectors, helper_cost, interleaved, service, start_time, stress, suites

ONCE = ("--processes", "1")
LAG = ("loop_lag_p50_ms", "loop_lag_p99_ms", "stalls", "stalled_ms", "longest_stall_ms")

TWIN = r"no async version|no a?synchronous side|TaskGroup is asyncio's|is about \w+ alone"
NEW = "comes with Python 3.1|does not run on Python"


def bench(folder: Path) -> str:
    """The default matrix, two jobs a cell."""
    said = python(*OURS, "run", *ONCE, "--jobs", "2", "-p", "variant=pure-python", "-o", folder / "out")
    found(r"TRAP|No trap", said)
    cells = result(folder / "out", absent=TWIN)
    for name in ("inline", "async", "to_thread", "threads", "processes"):
        need({f"asyncio/{name}", f"uvloop/{name}"} <= strategies(cells), f"no cell of {name}")
    return f"{len(cells)} cells of {len(strategies(cells))} strategies, and their page"


def bench_all(folder: Path) -> str:
    """Every workload inline and async, one of them under every strategy, and a server of each kind."""
    words = ("--all", "--jobs", "1", *ONCE)
    python(*OURS, "run", *words, "-s", "inline", "-s", "async", "-o", folder / "all", codes=(0, 1))
    every = result(folder / "all", absent=TWIN)
    names = {cell["workload"] for cell in every}
    listed = set(
        re.findall(r"^@(?:workload|.*\.workload)\b.*\n(?:.*\n)*?(?:async )?def (\w+)", sources(), re.MULTILINE)
    )
    need(listed <= names, f"not measured: {sorted(listed - names)}")
    python(*OURS, "run", "checksum", "-p", "how=native-code", *words, "-o", folder / "ways", codes=(0, 1))
    ways = strategies(result(folder / "ways", absent=f"{TWIN}|{NEW}"))
    for name in ("anyio", "celery", "dask"):
        need(f"asyncio/{name}" in ways, f"no cell of {name}")
    chosen = ("socket", "streams/celery", "gunicorn-2", "uvicorn-1/def", "uvicorn-2/to_thread")
    python(*OURS, "serve-bench", *chosen, "--seconds", "500ms", *ONCE, "-o", folder / "served", codes=(0, 1))
    served = result(folder / "served")
    need(len(served) == len(chosen), f"servers measured: {strategies(served)}")
    return f"{len(names)} workloads in {len(every)} cells, {len(ways)} strategies, {len(served)} servers"


def pytest_benchmark(folder: Path) -> str:
    """One row of the matrix twice, with loop lag and stalls in extra_info, and their comparison."""
    files = [folder / "base.json", folder / "head.json"]
    for file in files:
        python("-m", "pytest", "-q", "-p", "benchmark", "bench/test_matrix.py", "-k", "blocking_sleep",
               "--benchmark-json", file)  # fmt: skip
        benchmarks = json.loads(file.read_text(encoding="utf-8"))["benchmarks"]
        need(len(benchmarks) >= 2, f"{len(benchmarks)} benchmarks")
        for item in benchmarks:
            need(set(LAG) <= set(item["extra_info"]), f"{item['name']}: extra_info is {item['extra_info']}")
            inline = item["name"].endswith("/inline]")
            need(bool(item["extra_info"]["stalls"]) or not inline, f"{item['name']}: the trap shows no stall")
    table = run(Path(sys.executable).with_name("pytest-benchmark"), "compare", *files, "--columns=min,mean")
    found(r"^\S.*blocking_sleep.*-asyncio/inline\] \(\S+\)", table, least=2)
    return f"{len(benchmarks)} benchmarks with {', '.join(LAG)}; compared"


def pyperf(folder: Path) -> str:
    """What each way costs, once, through pyperf's own commands; the harness beside hand-written code."""
    files = [folder / "base.json", folder / "head.json"]
    once = ("-p", "1", "-n", "1", "-w", "0", "-l", "20", "-q")
    for file in files:
        said = python("bench/dispatch_overhead.py", "-o", file, *once)
    skipped = found(r"^skipped \S+: \S.+", said)
    python("-m", "pyperf", "check", files[0])
    found(r"^Total number of values: \d+", python("-m", "pyperf", "stats", files[0]))
    compared = python("-m", "pyperf", "compare_to", "--table", *files)
    rows = found(r"^\| (\w+/\w+) +\| [\d.]+ [num]?s", compared)
    for name in ("inline", "to_thread", "threads", "processes", "anyio"):
        need({f"asyncio/{name}", f"uvloop/{name}"} <= set(rows), f"{name} was not measured")
    cost = python("bench/harness_cost.py", "--processes", "1", "--pairs", "1", "--share", "0.05", codes=(0, 1))
    ratios = found(rf"^(\w+) +loopstall / by hand: {NUMBER} ", cost, least=4)
    return f"{len(rows)} ways off the loop compared, {len(skipped)} skipped with the reason, {len(ratios)} ratios"


def mutation(_folder: Path) -> str:
    """One function of the statistics."""
    said = python("bench/mutation.py", "--jobs", "1", "loopstall.stats.paired.x_fewest_pairs*")
    (line,) = found(r"^\d+ changes of 1 function: \d+ killed.*", said)
    return line


def gate_power(folder: Path) -> str:
    """A pool of two pairs a case, kept and read again, and a few simulated runs."""
    words = ("--pairs", "2", "--runs", "5", "--pool", folder / "pool.json")
    python("bench/gate_power.py", *words)
    said = python("bench/gate_power.py", *words)  # measures nothing: all of it is in the pool
    need("round" not in said, "the kept pool was measured anew")
    alarms = found(rf"^  (?:quiet|noisy)  (\S.*?) +{NUMBER} \[", said, least=10)
    powers = found(r"^  (?:quiet|noisy)  \+ ?\d+% \S", said, least=40)
    return f"12 real pairs, {len(alarms)} rates of false alarms, {len(powers)} lines of power"


def gate_live(_folder: Path) -> str:
    """One real gate of unchanged code, and one of a slower cell."""
    said = python("bench/gate_live.py", "--gates", "1", "--strategy", "asyncio", "--max-minutes", "0.2")
    ended = found(r"^1: (exit [015], \d+ s, .+); regressed: \S", said, least=2)
    for verdicts in ended:
        counts = re.findall(r"(\d+) [a-z-]+(?:,| by [1-9]\d* pairs$)", verdicts.partition(" s, ")[2])
        need(sum(map(int, counts)) == 5, f"verdicts on five cells: {verdicts}")
        need("failed" not in verdicts, f"a cell was not measured: {verdicts}")
    found(r"(?:unchanged, passed|10% slower, found and nothing else): [01] of 1, 95% interval", said, least=2)
    return "unchanged code {}; a slower cell {}".format(*ended)


def report_cost(_folder: Path) -> str:
    """Two small pages, built and drawn."""
    said = python("bench/report_cost.py", "--cells", "2,4", "--runs", "2", "--samples", "50", "--repeat", "1")
    found(rf"^\d+ cells, \d+ samples: built in {NUMBER} s and \d+ MB, {NUMBER} MB, ", said, least=2)
    found(r"^2 times the cells take", said)
    drawn = len(re.findall(rf"drawn in {NUMBER} s", said))
    need(drawn == 2 or not os.environ.get("LOOPSTALL_REQUIRE_BROWSER"), "LOOPSTALL_REQUIRE_BROWSER, but none was drawn")
    return f"2 pages built, {drawn} drawn" + ("" if drawn else ": no Chromium with its driver here")


def viewers(folder: Path) -> str:
    """A result of one cell in the real speedscope."""
    if shutil.which("npm") is None:  # on Debian hundreds of packages, too many for one page
        return "left out: npm is not installed, which fetches speedscope"
    python(*OURS, "run", "blocking_sleep", "-s", "inline", "--jobs", "4", *ONCE, "-o", folder / "out")
    said = python("bench/viewers.py", folder / "out", "--keep", folder / "shown.png")
    (shown,) = found(r"speedscope shows '.+'; \d+ profiles, \d+ frames", said)
    need((folder / "shown.png").stat().st_size > 1_000, "the screenshot is next to empty")
    return shown


def advise_accuracy(_folder: Path) -> str:
    """One function that has to leave the loop."""
    said = python("bench/advise_accuracy.py", "--only", "wait_20ms", "--repeat", "1", "--seconds", "0.5")
    (row,) = found(rf"^(wait_20ms +\S.*(?:{NUMBER}|inf) ms.*)", said)
    found(r"^right on [01] of 1", said)
    need(len(re.findall(rf"{NUMBER} ms", row)) == 3, f"a way was not measured: {row}")
    return " ".join(row.split())


def idle_lag(_folder: Path) -> str:
    """The lags of idle loops, side by side."""
    said = python("bench/idle_lag.py", "--smoke")
    need("idle asyncio and uvloop" in said, f"uvloop was not measured: {said}")
    return said.strip().splitlines()[-1]


def schema(folder: Path) -> str:
    """The committed schemas and the pages of the API and of the findings are those that the code writes."""
    python("bench/schemas.py", folder)
    names = sorted(path.name for path in folder.iterdir())
    need(len(names) == 4, f"written: {names}")
    for name in names:
        same = (folder / name).read_bytes() == (ROOT / "docs" / name).read_bytes()
        need(same, f"docs/{name} is not what the code writes; run nox -s schema")
    return f"{', '.join(names)} are what the code writes"


def build(folder: Path) -> str:
    """The wheel and the sdist, and what is in them."""
    python("-m", "build", "--outdir", folder)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        held = archive.namelist()
    with tarfile.open(sdist) as archive:
        kept = [name.partition("/")[2] for name in archive.getnames()]
    for name in ("loopstall/py.typed", "loopstall/cli/entry.py", "loopstall/_bundled/workloads/hashing.py"):
        need(name in held, f"{wheel.name} lacks {name}")
    for name in ("noxfile.py", "bench/smoke.py", "tests/conftest.py", "workloads/hashing.py"):
        need(name in kept, f"{sdist.name} lacks {name}")
    return f"{wheel.name} with {len(held)} files, {sdist.name} with {len(kept)}"


def docs(folder: Path) -> str:
    """The documentation site without a warning or a link that leads nowhere, and the pictures of README."""
    said = python("bench/site.py", "-o", folder / "site")
    counted = found(r"^(\d+ pages, \d+ links) within", said)[0]
    for name in ("index", "tutorial", "cli", "causes", "project/changelog"):
        need((folder / "site" / f"{name}.html").is_file(), f"the site has no {name}.html")
    said = python("bench/pictures.py", "-o", folder / "images")
    picture = (folder / "images" / "watch.svg").read_text(encoding="utf-8")
    need("hash_password" in picture, "the picture of the terminal does not name the line to blame")
    need("@font-face" not in picture, "the picture of the terminal asks another site for a font")
    drawn = "no Chromium" not in said
    need(drawn or not os.environ.get("LOOPSTALL_REQUIRE_BROWSER"), "LOOPSTALL_REQUIRE_BROWSER, but no photograph")
    return f"{counted} within, {1 + drawn} pictures"


BEGINS = {
    "html": "<!doctype html", "markdown": "### loopstall", "terminal": "asyncio", "json": '{"format":"loopstall"',
    "csv": "workload,params,loop", "junit": "<?xml", "github": "", "speedscope": '{"$schema": "https://www.speedscope',
    "trace": '{"traceEvents":[', "pyperf": '{"benchmarks":[',
}  # fmt: skip


def report(folder: Path) -> str:
    """A result in every format."""
    python(*OURS, "run", "blocking_sleep", "-s", "inline", "--jobs", "4", *ONCE, "-o", folder / "out")
    offered = found(r"--format \[([\w|]+)\]", python(*OURS, "report", "--help"))[0].split("|")
    need(set(offered) == set(BEGINS), f"formats: {offered}")
    for name, begins in BEGINS.items():
        python(*OURS, "report", folder / "out", "--format", name, "-o", folder / name)
        text = (folder / name).read_text(encoding="utf-8").lstrip()
        need(text.lower().startswith(begins.lower()), f"{name} begins with {text[:60]!r}")
    return f"one result in {len(offered)} formats"


SMOKES: dict[str, Callable[[Path], str]] = {
    function.__name__: function
    for function in (
        schema, build, report, bench, bench_all, pytest_benchmark, pyperf, detectors, interleaved, helper_cost,
        mutation, start_time, suites, service, attached, stress, gate_live, gate_power, report_cost, viewers,
        advise_accuracy, idle_lag, docs,
    )
}  # fmt: skip


def main() -> int:
    """Runs one and prints its line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("session", nargs="?", choices=list(SMOKES))
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    if given.list or not given.session:
        print(*SMOKES, sep="\n")
        return 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="loopstall-smoke-") as name:
        try:
            line = SMOKES[given.session](Path(name))
        except (MissingError, subprocess.TimeoutExpired) as error:
            print(f"smoke {given.session}: {error}", file=sys.stderr)
            return 1
    print(f"smoke {given.session}: {line} ({time.monotonic() - begun:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
