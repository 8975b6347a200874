"""``loopstall advise``."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from loopstall.advice import plan, reported, words
from loopstall.advice import subject as subjects
from loopstall.advice.alone import measure_profile
from loopstall.advice.study import study
from loopstall.cli.options.helped import HelpedCommand
from loopstall.cli.options.plan import default_memory_limit, setting
from loopstall.cli.options.types import RATE, SECONDS, SIZE
from loopstall.errors import InputError
from loopstall.records import Advice
from loopstall.records.units import format_ns
from loopstall.report.escape import printable
from loopstall.report.output import console, say
from loopstall.report.progress import shown, tell_limit
from loopstall.results.advice_file import write
from loopstall.runner import matrix
from loopstall.runner.single import Limits
from loopstall.workloads import target as targets
from loopstall.workloads.definition import grid_points
from loopstall.workloads.loader import find

__all__ = ["command"]


_EXAMPLES = (
    ("loopstall advise shop/prices.py:total --args '[1000]'", "Measure a function, and recommend how to run it."),
    ("loopstall advise --from stalls.json", "The same for the worst line that `watch -o stalls.json` saw."),
)
_GROUPS = {
    "What to measure": ("given", "args_from", "param", "source"),
    "Load": ("rate", "concurrency"),
    "Limits": ("max_seconds", "time_limit", "memory_limit"),
    "Output": ("output",),
}


@click.command("advise", cls=HelpedCommand, examples=_EXAMPLES, groups=_GROUPS)
@click.argument("target", required=False)
@click.option(
    "--args", "given", default="[]", help="Arguments as JSON: a list of positional ones, or an object of named ones."
)
@click.option(
    "--args-from", metavar="MODULE:FUNCTION", help="Function that returns the arguments, where JSON cannot hold them."
)
@click.option(
    "-p", "--param", multiple=True, metavar="NAME=VALUE", help="Value of a parameter, where TARGET is a workload."
)
@click.option(
    "--from", "source", type=click.Path(path_type=Path), help="Report of stalls (JSON) whose culprit is to be measured."
)
@click.option(
    "--rate", type=RATE, help="Arrival rate in jobs per second. [one that keeps the loop busy a quarter of the time]"
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 10_000),
    help="Number of clients, each of which sends a job when its last one is done.",
)
@click.option("--max-seconds", type=SECONDS, default="60s", show_default=True, help="Stop measuring after this long.")
@click.option("--time-limit", type=SECONDS, default="60s", show_default=True, help="Fail a run that takes longer.")
@click.option(
    "--memory-limit", type=SIZE, help="Address space of each process, 0 for no limit. [half of the machine's memory]"
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write the advice to, as JSON.")
def command(target: str | None, source: Path | None, output: Path | None, **options: Any) -> int:
    """Measure TARGET and every way to run it, and recommend one, with the break-even point and code to paste.

    TARGET is module:function, path/file.py:function, or a workload (see `loopstall list`). With --from it is a
    culprit of that report, file.py:12 or the name of its function; without TARGET, the worst one.
    """
    if options["args_from"] and options["given"] != "[]":
        raise click.UsageError("--args and --args-from cannot be used together")
    given = f"@{options['args_from']}" if options["args_from"] else options["given"]
    if source is not None:
        culprit = reported.find(source, target)
        say(reported.told(culprit))
        if culprit.target is None or (culprit.needs_arguments and given == "[]"):
            say(*reported.how_to_measure(culprit, source).split("\n"))
            return 5
        target = culprit.target
        if options["rate"] is None and options["concurrency"] is None:
            options["rate"] = culprit.rate
    if target is None:
        raise click.UsageError("name a TARGET: module:function, file.py:function or a workload; or give --from REPORT")
    limits = Limits(
        time_limit_s=options["time_limit"],
        memory_limit_bytes=(
            default_memory_limit() if options["memory_limit"] is None else int(options["memory_limit"])
        ),
        threshold_ns=5_000_000,
    )
    advice = _advise(_subject(target, given, options["param"]), limits, options)
    say(*words.told(advice).split("\n"))
    if output is not None:
        write(advice, output)
    return 0 if advice.choice else 5


def _subject(target: str, given: str, params: tuple[str, ...]) -> subjects.Subject:
    if ":" in target:
        if params:
            raise click.UsageError("-p is for workloads; a function takes --args")
        _, _, folder = targets.module_and_folder(target)
        targets.make_importable(folder)
        targets.load(target)  # what is wrong with them is said before anything is measured
        targets.arguments(given)
        return subjects.of_function(target, given)
    if given != "[]":
        raise click.UsageError("--args is for functions; a workload takes -p NAME=VALUE")
    chosen = find([target])
    if len(chosen) > 1:
        names = ", ".join(item.name for item in chosen)
        raise InputError(f"{target} defines several workloads ({names}); name one that `loopstall list` shows")
    grids = matrix.override(chosen, [setting(text) for text in params])
    points = grid_points(grids[chosen[0].name])
    if len(points) > 1:
        told = "; ".join(" ".join(f"-p {name}={value}" for name, value in point) for point in points)
        raise InputError(
            f"{target} has {len(points)} combinations of parameters, and advice is on one; choose with {told}"
        )
    return subjects.of_workload(chosen[0], points[0])


def _advise(subject: subjects.Subject, limits: Limits, options: dict[str, Any]) -> Advice:
    progress = console(err=True)
    allowance = subjects.Allowance(options["max_seconds"])
    tell_limit(progress, allowance.seconds)
    progress.print(printable(f"{subject.target} by itself ..."), soft_wrap=True)
    profile = measure_profile(subject, limits, allowance)
    load = plan.default_load(profile, rate=options["rate"], concurrency=options["concurrency"])
    planned = plan.plan(subject, profile, load)
    progress.print(printable(f"takes {format_ns(profile.duration.value)}; {planned.told(allowance.left)}"),
                   soft_wrap=True)  # fmt: skip
    with shown(progress) as bar:
        advice = study(subject, profile, planned, limits=limits, allowance=allowance, progress=bar)
    caveats = list(advice.caveats)
    if options["rate"] and load.rate and load.rate > 1.01 * options["rate"]:
        caveats.append(
            f"measured at {load.rate:g} jobs a second, for a run at {options['rate']:.2g} would take too long"
        )
    return replace(advice, code=words.code_for(advice.choice, advice.target), caveats=tuple(caveats))
