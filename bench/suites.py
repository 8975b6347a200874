"""Runs the test suites of real projects without and with the pytest plugin, and compares outcomes and time.

    python bench/suites.py [--pairs 3] [--budget 50ms] [PROJECT ...]

Each project's sdist comes from PyPI, into an environment of its own with what its tests need. The runs without and
with the plugin take turns. A test that the plugin alone fails must say which line blocked the loop; all others must
end as they do without it.
"""

import argparse
from collections.abc import Iterator
import contextlib
from dataclasses import dataclass
import json
import os
from pathlib import Path
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True)
class Project:
    """What is run: its sdist, what its tests need, and the words that pytest gets.

    ``built`` is a folder of the sdist that is left out, where the wheel has parts in C that the sdist has not.
    """

    name: str
    version: str
    needs: tuple[str, ...]
    words: tuple[str, ...] = ("tests",)
    built: str = ""


PROJECTS = {
    project.name: project
    for project in (
        Project(
            name="starlette",
            version="1.10.0",
            needs=("starlette[full]", "httpx2[zstd]", "blockbuster", "trio", "opentelemetry-sdk", "importlib-metadata"),
        ),
        Project(
            name="httpx",
            version="0.28.1",
            needs=("httpx[brotli,http2,socks,zstd]", "chardet==5.2.0", "cryptography", "trio", "trustme", "uvicorn"),
            words=("tests", "--ignore", "tests/test_main.py", "-W", "ignore"),  # that one needs an older rich
        ),
        Project(
            name="anyio",
            version="4.16.0",
            needs=("anyio[trio]", "blockbuster", "hypothesis", "psutil", "pytest-mock", "pytest-timeout", "trustme",
                   "truststore", "uvloop"),
        ),
        Project(name="aiofiles", version="25.1.0", needs=("aiofiles", "pytest-asyncio")),
        Project(
            name="aiohttp",  # the part of its tests that runs servers and clients
            version="3.14.5",
            needs=("aiohttp[speedups]", "blockbuster", "freezegun", "isal", "proxy.py", "pytest-codspeed", "pytest-cov",
                   "pytest-mock", "pytest-timeout", "pytest-xdist", "re-assert", "trustme", "uvloop", "zlib_ng"),
            words=("tests/test_web_functional.py", "tests/test_client_functional.py", "-o", "addopts="),
            built="aiohttp",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One run: how each test ended, with its message, and what it took in seconds."""

    tests: dict[str, tuple[str, str]]
    wall_s: float
    cpu_s: float


def main() -> int:
    """Runs what was asked for and prints what there was; 1 where a test ended differently for no stall."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("projects", nargs="*", choices=[[], *PROJECTS], help="which; all but the long anyio for none")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--budget", default="50ms")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    unexplained = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in given.projects or [name for name in PROJECTS if name != "anyio"]:
            unexplained += compare(PROJECTS[name], Path(folder, name), given)
    return 1 if unexplained else 0


def compare(project: Project, folder: Path, given: argparse.Namespace) -> int:
    """Runs one project in pairs, prints the comparison, and returns how many tests it does not explain."""
    print(f"\n{project.name} {project.version}", flush=True)
    python, sources = prepare(project, folder)
    rng = random.Random(given.seed)
    off: list[Outcome] = []
    on: list[Outcome] = []
    for number in range(given.pairs + 1):  # the first pair warms up, and tells the worst lines
        told = () if number else ("--stall-report", f"{folder}/s.json")
        sides = [(off, ("-p", "no:loopstall")), (on, ("--stall-budget", given.budget, *told))]
        for side, words in rng.sample(sides, 2):
            side.append(run(python, sources, (*project.words, *words), folder / "junit.xml"))
        if number:
            wall, cpu = (getattr(on[-1], what) / getattr(off[-1], what) for what in ("wall_s", "cpu_s"))
            print(f"  pair {number}: {off[-1].wall_s:.1f} s without, wall {wall:.3f}, CPU {cpu:.3f}", flush=True)
    unexplained = judge(off, on)
    for what in ("wall_s", "cpu_s"):
        ratios = sorted(getattr(b, what) / getattr(a, what) for a, b in zip(off[1:], on[1:], strict=True))
        middle = statistics.median(ratios)
        print(f"  {what[:-2]} time with the plugin: {middle:.3f} times ({ratios[0]:.3f} to {ratios[-1]:.3f})")
    for line in worst(folder / "s.json"):
        print(f"    {line}")
    return unexplained


def judge(off: list[Outcome], on: list[Outcome]) -> int:
    """Prints which tests ended differently, and why; returns how many without a reason."""
    known = {name: {side.tests.get(name, ("missing", ""))[0] for side in off} for name in off[0].tests}
    stalled: dict[str, str] = {}
    unexplained: dict[str, str] = {}
    for side in on:
        for name, (outcome, message) in side.tests.items():
            if "an event loop was blocked" in message:
                stalled[name] = message
            elif outcome not in known.get(name, set()):
                unexplained[name] = f"{sorted(known.get(name, {'missing'}))} without, {outcome} with: {message[:200]}"
        for name in known.keys() - side.tests.keys():
            unexplained[name] = "missing with the plugin"
    shaky = sum(len(outcomes) > 1 for outcomes in known.values())
    print(f"  {len(known)} tests, {shaky} of them shaky without the plugin; {len(stalled)} fail for a stall:")
    for name, message in sorted(stalled.items()):
        print(f"    {name}: {message.splitlines()[2].strip() if len(message.splitlines()) > 2 else message}")
    print(f"  {len(unexplained)} end differently for no stall")
    for name, why in sorted(unexplained.items()):
        print(f"    {name}: {why}")
    return len(unexplained)


def run(python: Path, sources: Path, words: tuple[str, ...], report: Path) -> Outcome:
    """Runs a suite once."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *words],
        cwd=sources, capture_output=True, text=True, check=False, timeout=1800,
        env={key: value for key, value in os.environ.items() if key not in {"CI", "GITHUB_ACTIONS"}},
    )  # fmt: skip
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in {0, 1}:
        sys.exit(f"pytest ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Outcome(tests=dict(outcomes(report)), wall_s=wall_s, cpu_s=cpu_s)


def outcomes(report: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yields the tests of a JUnit file: name, how it ended, and the message."""
    for case in ET.parse(report).iter("testcase"):  # noqa: S314  # our own run wrote it
        name = f"{case.get('classname')}::{case.get('name')}"
        ended = next((part for part in case if part.tag in {"failure", "error", "skipped"}), None)
        yield (
            name,
            ("passed", "") if ended is None else (ended.tag, ended.get("message", "") + "\n" + (ended.text or "")),
        )


def worst(report: Path) -> Iterator[str]:
    """Yields the lines that blocked loops for over the threshold, the worst first."""
    with contextlib.suppress(OSError):
        for item in json.loads(report.read_text(encoding="utf-8"))["culprits"][:5]:
            frame = item["frame"] or {"file": "no culprit", "line": 0, "function": ""}
            yield (
                f"{item['longest_ns'] / 1e6:.0f} ms at worst, {item['count']} stalls: {Path(frame['file']).name}:"
                f"{frame['line']} in {frame['function']} ({', '.join(item['causes'])})"
            )


def prepare(project: Project, folder: Path) -> tuple[Path, Path]:
    """Makes an environment with what the tests need, and unpacks them."""
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"

    def pip(*words: object) -> None:
        subprocess.run([python, "-m", "pip", "-q", "--disable-pip-version-check", *map(str, words)], check=True)

    pinned = f"{project.name}=={project.version}"

    pip("install", pinned, *project.needs, "pytest", ROOT)
    pip("download", "--no-deps", "--no-binary", project.name, "-d", folder, pinned)
    with tarfile.open(next(folder.glob(f"{project.name}-*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    sources = folder / f"{project.name}-{project.version}"
    if project.built:
        shutil.rmtree(sources / project.built)
    return python, sources


if __name__ == "__main__":
    sys.exit(main())
