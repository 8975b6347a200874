"""Advice in words: the figures, the choice, and code to paste."""

from loopstall.records import Advice, Estimate, Profile, Way
from loopstall.report.text import printable
from loopstall.units import format_bytes, format_ns

__all__ = ["code_for", "told"]


def told(advice: Advice) -> str:
    """Returns everything that advice says, as lines for a terminal."""
    lines = [f"{advice.target}: {_profile(advice.profile)}", ""]
    if advice.ways:
        lines += [f"Measured by turns, {advice.load}:", *_table(advice.ways), ""]
    if not advice.choice:
        lines.append(f"No recommendation: {advice.reason}.")
    else:
        lines.append(f"Recommended: {advice.choice}. {advice.reason[0].upper()}{advice.reason[1:]}.")
        if advice.break_even:
            lines.append(f"Break-even: {advice.break_even}.")
        if advice.choice == "inline":
            lines.append(
                "Write the decision down: loopstall advise … -o advice.json; loopstall accept advice.json --reason …"
            )
    lines += [f"Mind: {text}." for text in advice.caveats]
    if advice.code:
        lines += ["", *(f"    {line}" if line else "" for line in advice.code.splitlines())]
    return printable("\n".join(lines))


def _profile(profile: Profile) -> str:
    kind = f"computes {profile.cpu_share:.0%} of it"
    gil = "" if profile.gil_share is None else f", keeps the GIL {profile.gil_share:.0%} of it"
    if profile.gil_note:
        gil = f", GIL share n/a - {profile.gil_note}"
    travel = (
        "cannot travel to another process"
        if profile.unpicklable
        else f"arguments {format_bytes(profile.sent_bytes or 0)} and result {format_bytes(profile.returned_bytes or 0)}"
        f" pickled, {format_ns(profile.pickling_ns)}"
    )
    return (
        f"takes {_interval(profile.duration)} ({profile.calls} samples; the first call {format_ns(profile.first_ns)}),"
        f" {kind}{gil}; {travel}; memory +{format_bytes(profile.memory_bytes)}"
    )


def _interval(estimate: Estimate) -> str:
    return f"{format_ns(estimate.value)} [{format_ns(estimate.low)}, {format_ns(estimate.high)}]"


def _table(ways: tuple[Way, ...]) -> list[str]:
    rows = [("", "callers wait", "others wait up to", "CPU a job", "memory", "runs")]
    for way in ways:
        if way.response is None or way.wait is None:
            continue
        rows.append(
            (
                way.strategy,
                _interval(way.response),
                _interval(way.wait),
                format_ns(way.cpu_per_job_ns),
                format_bytes(way.memory_bytes),
                str(way.runs),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return lines + [f"  {way.strategy}: not measured: {way.missing}" for way in ways if way.missing]


def code_for(choice: str, target: str) -> str:
    """Returns code that follows the advice.

    Args:
        choice: as ``Advice`` has it.
        target: ``module:function``, or a name.
    """
    place, _, name = target.rpartition(":")
    function = (name or target).partition("[")[0]
    module = place.removesuffix(".py").replace("/", ".").strip(".") if place else ""
    imported = f"from {module} import {function}\n" if module and "." not in function else ""
    return _CODE.get(choice, "").format(function=function, imported=imported)


_CODE = {
    "inline": "result = {function}(*args)  # on the loop: measured, and cheaper than leaving it",
    "native": "result = await {function}_async(*args)  # the workload's async twin",
    "to_thread": "result = await asyncio.to_thread({function}, *args)",
    "processes": """\
import asyncio, multiprocessing
from concurrent.futures import ProcessPoolExecutor
{imported}
pool = ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))

async def start():  # in the lifespan of the program, before the first client
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(pool, abs, 0) for _ in range(pool._max_workers)))

async def handler(*args):
    return await asyncio.get_running_loop().run_in_executor(pool, {function}, *args)""",
    "task queue": """\
from celery import Celery
{imported}
queue = Celery("jobs", broker="redis://localhost", backend="redis://localhost")
job = queue.task({function})

async def handler(*args):
    sent = await asyncio.to_thread(job.delay, *args)  # the broker's client blocks
    return {{"result": f"/results/{{sent.id}}"}}  # answer now; the client asks there""",
    "native code": """\
# Do the heavy part in code that releases the GIL (numpy, zlib, hashlib on big buffers, Cython's nogil, Rust's
# Python::allow_threads), then a thread is enough:
result = await asyncio.to_thread({function}, *args)""",
}
