"""Smoke forms of the sessions that measure what watching finds and what it costs."""

import json
from pathlib import Path
import re

from smoke_checks import NUMBER, found, need, python, run

FIGURES = (
    "recall, 2x threshold and more", "without a stack, 20 ms", "length error", "right line, in the loop",
    "right line and thread, who held it", "right cause, quiet", "plain Python called cpu-native", "right cause, busy",
    "first stalls, right cause", "told while it lasts", "false reports on a clean run",
    "blamed on the program under noise", "idle loop", "echo, CPU a request, 8", r"sleep\(0\), throughput",
)  # fmt: skip


def detectors(folder: Path) -> str:
    """Every detector that is installed finds something; ours on both loops, with its cost."""
    kinds = ("--kind", "waiting", "--kind", "for loop", "--kind", "sum", "--kind", "GIL, sum", "--kind", "turn")
    short = ("--repeat", "1", "--own-repeat", "1", "--length", "20", *kinds)
    none = ("--busy", "0", "--cold", "0", "--hang", "0", "--clean", "0", "--noise", "0", "--processes", "0")
    runs = ("--busy", "1", "--cold", "1", "--hang", "1", "--clean", "0.5", "--noise", "0.5")
    cost = ("--processes", "1", "--rounds", "2", "--idle", "1")
    raw = folder / "raw.json"
    own = python("bench/detectors.py", "--only", "loopstall", *short, *runs, *cost, "--save", raw)
    for said in (own, python("bench/detectors.py", "--from", raw)):
        found(r"^loopstall on (?:asyncio|uvloop), Python", said, least=2)
        for figure in FIGURES:
            found(rf"^  {figure}.* (?:{NUMBER}|-$)", said, least=2)  # a stranger may disturb the one stall there is
    need(len(json.loads(raw.read_text(encoding="utf-8"))) == 2, "--save kept something else")
    beside = python("bench/detectors.py", "--only", "loopstall", "--loop", "asyncio", "--thread", *short, *none)
    found(r"^loopstall on asyncio in another thread", beside)
    every = python("bench/detectors.py", "--loop", "asyncio", *short, *none)
    need("it has died" not in own + beside + every, own + beside + every)
    recalls = {
        name: (int(hits), int(of))
        for name, hits, of in re.findall(
            r"^(\S.*?)(?: \d\S*)? on \w+, Python.*\n  recall, 2x.* \((\d+)/(\d+)\)", own + every, re.MULTILINE
        )
    }
    for name, (hits, of) in recalls.items():
        need(hits, f"{name} reported none of {of} stalls")
    need("loopstall" in recalls and len(recalls) > 2, f"measured: {sorted(recalls)}")
    told = ", ".join(f"{name} {hits}/{of}" for name, (hits, of) in recalls.items())
    absent = re.findall(r"^(.+): skipped, it is", every, re.MULTILINE)
    return f"found of the injected stalls: {told}" + (f"; not installed: {', '.join(absent)}" if absent else "")


def interleaved(_folder: Path) -> str:
    """A few pairs in two processes."""
    said = python("bench/interleaved.py", "--processes", "2", "--pairs", "2", "--runs", "2")
    here, apart = found(rf"^  watched - plain +(-?{NUMBER}) ms \[", said, least=2)
    found(rf"^  watched / plain +({NUMBER}) \[", said, least=2)
    return f"watching adds {here} ms to an asyncio.run of nothing, {apart} ms in a new thread"


def helper_cost(_folder: Path) -> str:
    """Every figure of two processes, with stalls of one length."""
    said = python("bench/helper_cost.py", "--processes", "2", "--seconds", "0.3", "--length", "20")
    (after,) = found(rf"^the helper looks after, ms +({NUMBER}) \[", said)
    found(rf"^(?:loop that waits|turns of 0.5 ms), % of a core +{NUMBER} \[", said, least=2)
    (share,) = found(rf"^stalls of 20 ms, % of a core +({NUMBER}) \[", said)
    (memory,) = found(rf"^memory, MB +({NUMBER}) \[", said)
    return f"the helper looks after {after} ms, has {memory} MB, and computes {share}% of a core while all is stalls"


def start_time(_folder: Path) -> str:
    """Two pairs of each command against the commit that is checked out."""
    if run("git", "rev-parse", "--verify", "HEAD", codes=(0, 128)).startswith("fatal"):
        return "left out: this is no checkout with a commit to be held against"
    said = python("bench/start_time.py", "--pairs", "2", codes=(0, 1))
    ratios = found(rf"^\S.*? +CPU +{NUMBER}(?= \[)", said, least=3)
    return "against HEAD: " + ", ".join(re.sub(" +", " ", ratio) for ratio in ratios)


def suites(_folder: Path) -> str:
    """The suite of aiofiles without and with the plugin."""
    said = python("bench/suites.py", "aiofiles", "--pairs", "1")
    (count,) = found(r"(\d+) tests, \d+ of them shaky", said)
    need(int(count) > 10, f"{count} tests")
    (ratio,) = found(rf"wall time with the plugin: ({NUMBER}) times", said)
    found(r"\b0 end differently for no stall", said)
    return f"{count} tests of aiofiles end alike without and with the plugin; time {ratio}"


def service(_folder: Path) -> str:
    """A FastAPI service with and without watch, on both loops, and with live views, in a few bursts."""
    said = python("bench/fastapi_load.py", "--pairs", "3", "--seconds", "0.1")
    ratios = found(rf"CPU time a request: ({NUMBER}) times", said, least=2)
    found(rf"requests a second: {NUMBER} times", said, least=2)
    found(r"stall of .*app\.py:\d+ in slow", said, least=2)
    words = ["--loop", "asyncio", "--view", "serve", "--view", "live"]
    views = python("bench/fastapi_load.py", "--pairs", "3", "--seconds", "0.1", *words)
    ratios += found(rf"CPU time a request: ({NUMBER}) times", views, least=2)
    found(r"under watch; under watch --(?:serve|live):", views, least=2)
    found(r"app\.py:\d+ in slow", views, least=4)
    return f"the slow route was named each time; CPU time a request {', '.join(ratios)} times"


def attached(_folder: Path) -> str:
    """A service that is watched for two seconds, one that is attached to three times, and what it costs a server."""
    parts = (word for part in ("slow", "often", "cost") for word in ("--only", part))
    few = ("--server", "uvicorn on asyncio", "--seconds", "2", "--times", "3", "--pairs", "1")
    said = python("bench/attached.py", "--tool", "loopstall", *parts, *few)
    found(r"3 of 3 watches told of a stall with its line", said)
    (stalls,) = found(r"loopstall +all +found (\d+) of [1-9]\d*, line \d+ of [1-9]\d*, cause \d+ of [1-9]", said)
    (ratio,) = found(rf"^  loopstall +({NUMBER}) \[", said)
    return f"{stalls} stalls of a service seen from outside; an echo server takes {ratio} times the CPU time"


def stress(_folder: Path) -> str:
    """Some seconds of stalls on each loop."""
    counts = []
    for loop in ("asyncio", "uvloop"):
        said = python("bench/stress.py", "--minutes", "0.1", "--loop", loop)
        counts.append(sum(map(int, found(r": (\d+) stalls", said, least=10))))
        found(rf"{loop}: no crash, nothing grows", said)
    need(all(counts), f"stalls seen: {counts}")
    return f"{counts[0]} and {counts[1]} stalls, no crash, nothing grows"
