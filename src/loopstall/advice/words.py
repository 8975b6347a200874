"""Advice in words: the figures, the choice, and code to paste."""

from pathlib import Path

from loopstall.dispatch import processes, to_thread
from loopstall.records import Advice, Estimate, Profile, Way
from loopstall.records.cells import ASYNC, INLINE
from loopstall.records.units import counted, format_bytes, format_ns
from loopstall.report.text import printable
from loopstall.workloads.target import module_and_folder

__all__ = ["code_for", "told"]


def told(advice: Advice) -> str:
    """Returns everything that advice says, as lines for a terminal: what to do first, then the figures."""
    if not advice.choice:
        lines = [f"No recommendation for {advice.target}: {advice.reason}."]
    else:
        reason = f"{advice.reason[0].upper()}{advice.reason[1:]}."
        lines = [f"Recommended: {advice.choice}, for {advice.target}. {reason}"]
        if advice.break_even:
            lines.append(f"Break-even: {advice.break_even}.")
        if advice.choice == INLINE:
            lines.append(
                "Write the decision down: loopstall advise … -o advice.json; loopstall accept advice.json --reason …"
            )
    lines += [f"Note: {text}." for text in advice.caveats]
    lines += ["", f"{advice.target}: {_profile(advice.profile)}"]
    if any(way.response is not None for way in advice.ways):
        lines += ["", f"Measured in turns, {advice.load}:", *_table(advice.ways)]
    if advice.code:
        lines += ["", *(f"    {line}" if line else "" for line in advice.code.splitlines())]
    return "\n".join(map(printable, lines))


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
        f"takes {_interval(profile.duration)} ({counted(profile.calls, 'sample')};"
        f" the first call {format_ns(profile.first_ns)}), {kind}{gil}; {travel};"
        f" memory +{format_bytes(profile.memory_bytes)}"
    )


def _interval(estimate: Estimate) -> str:
    return f"{format_ns(estimate.value)} [{format_ns(estimate.low)}, {format_ns(estimate.high)}]"


def _table(ways: tuple[Way, ...]) -> list[str]:
    rows = [("", "callers wait", "others wait up to", "CPU per job", "memory", "runs")]
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
    """Returns a module that follows the advice.

    Args:
        choice: as ``Advice`` has it.
        target: ``module:function``, or the row of a workload.
    """
    place, _, name = target.rpartition(":")
    function = name.partition("[")[0]
    module = _module(place) if place else f"your_module  # where the work of the workload {function} is done"
    owner, _, _ = function.partition(".")
    return _CODE.get(choice, "").format(
        function=function,
        imports=f"from {module} import {owner}",
        twin=f"{function}_async",
    )


def _module(place: str) -> str:
    """Returns the name that a module is imported by: from its package, else from the current folder."""
    if not place.endswith(".py"):
        return place
    file = Path(place).resolve()
    if not (file.parent / "__init__.py").is_file() and file.is_relative_to(Path.cwd()):
        return ".".join(file.relative_to(Path.cwd()).with_suffix("").parts)
    return module_and_folder(f"{place}:f")[0]


_CODE = {
    INLINE: """\
from typing import Any

{imports}


async def handler(*args: Any, **kwargs: Any) -> Any:
    return {function}(*args, **kwargs)  # on the loop: measured, and cheaper than leaving it
""",
    ASYNC: """\
from typing import Any

from your_module import {twin}  # the async version of the workload


async def handler(*args: Any, **kwargs: Any) -> Any:
    return await {twin}(*args, **kwargs)
""",
    to_thread.DISPATCH.name: """\
import asyncio
from typing import Any

{imports}


async def handler(*args: Any, **kwargs: Any) -> Any:
    return await asyncio.to_thread({function}, *args, **kwargs)
""",
    processes.DISPATCH.name: """\
import asyncio
from concurrent.futures import ProcessPoolExecutor
from functools import partial
import multiprocessing
import os
from typing import Any

{imports}

WORKERS = os.cpu_count() or 1
pool = ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn"))


async def start() -> None:  # in the lifespan of the program, before the first client
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(pool, os.getpid) for _ in range(WORKERS)))


async def handler(*args: Any, **kwargs: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(pool, partial({function}, *args, **kwargs))
""",
    "task queue": """\
import asyncio
from typing import Any

from celery import Celery

{imports}

queue = Celery("jobs", broker="redis://localhost", backend="redis://localhost")
job = queue.task({function})


async def handler(*args: Any, **kwargs: Any) -> dict[str, str]:
    sent = await asyncio.to_thread(job.delay, *args, **kwargs)  # the broker's client blocks
    return {{"result": f"/results/{{sent.id}}"}}  # answer now; the client asks there
""",
    "native code": """\
import asyncio
from typing import Any

{imports}


# Do the heavy part in code that releases the GIL (numpy, zlib, hashlib on big buffers, Cython's nogil, Rust's
# Python::allow_threads); then a thread is enough:
async def handler(*args: Any, **kwargs: Any) -> Any:
    return await asyncio.to_thread({function}, *args, **kwargs)
""",
}
