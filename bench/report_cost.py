"""What a page costs: time, memory and size to build, and main-thread time to draw, for 10, 30 and 100 cells of 20 runs.

Run it with: python bench/report_cost.py [--cells 10,30,100] [--runs 20] [--samples 1000]
Every run holds as many raw samples as a run of that size would have reduced; 100 cells of 20 runs with 1,000 samples
are 2 million. Absolute times are this machine's; that time grows no faster than cells is what holds elsewhere.
"""

import argparse
from pathlib import Path
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time

from loopstall.records import Cell, Frame, Load, Measured, Plan, Run, Series, Stall, Strategy, WorkloadRef
from loopstall.results import store
from loopstall.runner import environment
from loopstall.stats import histogram

MS = 1_000_000
STRATEGIES = [
    Strategy(loop=loop, dispatch=dispatch)
    for loop in ("asyncio", "uvloop")
    for dispatch in ("inline", "async", "to_thread", "threads", "processes")
]
CAUSES = ("cpu-python", "blocking-call", "gil-wait", "gc", "descheduled")


def measured(chance: random.Random, samples: int, distinct: int) -> Measured:
    """Makes up a run: so many samples, 400 points of a series, and the 100 stalls that are kept, of some stacks."""

    def times() -> list[tuple[int, int]]:
        return [(int(chance.lognormvariate(14, 1)), 1) for _ in range(samples)]

    stacks = [
        tuple(
            Frame(file=f"/app/layer{depth}.py", line=chance.randrange(3), function=f"call{depth}")
            for depth in range(20)
        )
        for _ in range(distinct)
    ]
    stalls = tuple(
        Stall(
            start_ns=number * 40 * MS,
            duration_ns=int(chance.uniform(5, 80) * MS),
            cause=chance.choice(CAUSES),
            rule="made up",
            culprit=Frame(file=f"/app/module{chance.randrange(8)}.py", line=chance.randrange(40), function="handler"),
            stack=stacks[number % distinct],
        )
        for number in range(100)
    )
    series = Series(
        width_ns=10 * MS,
        at_ns=tuple(number * 10 * MS for number in range(400)),
        peak_ns=tuple(int(chance.lognormvariate(14, 1)) for _ in range(400)),
        count=samples,
    )
    lag, service = histogram.from_counts(times()), histogram.from_counts(times())
    return Measured(
        jobs=samples, wall_ns=4_000 * MS, service=service, response=service, lag=lag, lag_uncorrected=lag,
        response_series=series, lag_series=series, stalls=stalls, stall_count=100, stalled_ns=2_000 * MS,
        threshold_ns=5 * MS, interval_ns=MS, setup_ns=MS, priming_ns=0, cpu_user_ns=3_000 * MS, cpu_system_ns=MS,
        children_cpu_ns=0, peak_memory_bytes=50 << 20, switches_voluntary=10, switches_involuntary=10,
    )  # fmt: skip


def make(folder: Path, cells: int, runs: int, samples: int, distinct: int) -> None:
    """Writes a results folder."""
    chance = random.Random(1)
    made = tuple(
        Cell(
            workload=WorkloadRef(
                path=f"/app/workloads/w{number // len(STRATEGIES)}.py", name=f"workload_{number // 10}"
            ),
            params=(("size", 4096),),
            strategy=STRATEGIES[number % len(STRATEGIES)],
            load=Load(seconds=4.0),
        )
        for number in range(cells)
    )
    plan = Plan(
        name="made up", created_at="2026-01-01T00:00:00+00:00", cells=made, processes=runs, seed=1, threshold_ns=5 * MS,
        budget_stall_ns=50 * MS, budget_availability=0.5, time_limit_s=60.0, memory_limit_bytes=0,
    )  # fmt: skip
    target = store.Store(folder)
    target.begin(plan)
    here = environment.describe()
    pool = [measured(chance, samples, distinct) for _ in range(40)]
    for cell in made:
        for index in range(runs):
            target.save(
                Run(cell=cell, index=index, seed=1, started_at="2026-01-01T00:00:00.000+00:00", process_ns=MS,
                    environment=here, measured=chance.choice(pool))
            )  # fmt: skip


def built(folder: Path) -> tuple[float, float, float]:
    """Returns seconds, peak MB of a process of its own, and MB of the page."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "loopstall", "report", str(folder)], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return seconds, peak, (folder / "index.html").stat().st_size / 1e6


def drawn(page: Path) -> float | None:
    """Returns the seconds of the main thread until the page is drawn, None without Chromium."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        return None
    from selenium import webdriver  # the rest works without

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for word in ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-background-networking"):
        options.add_argument(f"--{word}")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        browser.get(page.as_uri())
        browser.execute_async_script("const d = arguments[0]; requestAnimationFrame(() => setTimeout(d, 0))")
        metrics = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    finally:
        browser.quit()
    return float(next(item["value"] for item in metrics if item["name"] == "TaskDuration"))


def main() -> None:
    """Prints a line a size, and the ratio of time per cell to that of the smallest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default="10,30,100", help="sizes")
    parser.add_argument("--runs", type=int, default=20, help="a cell")
    parser.add_argument("--samples", type=int, default=1000, help="raw samples a run")
    parser.add_argument("--stacks", type=int, default=12, help="different ones among the 100 stalls of a run")
    parser.add_argument("--repeat", type=int, default=3, help="builds, of which the best counts")
    options = parser.parse_args()
    found: list[tuple[int, float]] = []
    for cells in map(int, options.cells.split(",")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "result"
            make(folder, cells, options.runs, options.samples, options.stacks)
            builds = [built(folder) for _ in range(options.repeat)]
            seconds, peak, size = min(item[0] for item in builds), builds[-1][1], builds[-1][2]
            task = drawn(folder / "index.html")
            found.append((cells, seconds))
        samples = cells * options.runs * options.samples
        shown = "no Chromium" if task is None else f"drawn in {task:.2f} s of the main thread"
        print(f"{cells} cells, {samples:,} samples: built in {seconds:.2f} s and {peak:.0f} MB, {size:.2f} MB, {shown}")
    (few, short), (many, long) = found[0], found[-1]
    print(f"{many / few:g} times the cells take {long / short:.1f} times as long")


if __name__ == "__main__":
    main()
