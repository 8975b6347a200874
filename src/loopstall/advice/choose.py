"""Which way out pays: pure rules over what was measured, each with the figures that made it.

Ways are compared by their **burden**: how long the function's own caller waits for an answer, and how long everybody
else on the loop may wait because of it. A way that takes more effort has to be better by a margin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
import math

from loopstall.dispatch import processes, to_thread
from loopstall.loops import asyncio_loop
from loopstall.records import Advice, Estimate, Load, Measured, Noise, Profile, Way
from loopstall.records.cells import ASYNC, INLINE
from loopstall.records.clock import NS_PER_MS, NS_PER_S
from loopstall.records.units import counted, format_bytes, format_ns
from loopstall.runner.noise import disturbed, told, total
from loopstall.stats.median import median_estimate
from loopstall.stats.paired import hodges_lehmann

__all__ = [
    "FEWEST_JOBS",
    "FEWEST_RUNS",
    "SIMPLEST_FIRST",
    "busy_share",
    "choose",
    "needs_queue",
    "settled",
    "unmeasured",
    "wait_ns",
    "way",
]

FEWEST_RUNS, FEWEST_JOBS = 3, 15
"""Of inline and of one other way, for a recommendation."""
_MARGIN, _WIDE_MARGIN = math.log(1.15), math.log(1.4)
_LEAST_NS = 0.3 * NS_PER_MS  # a machine's own noise; what differs by less is the same
_HARMFUL_NS = 5 * NS_PER_MS  # from here on a wait is a stall
_HOLDS_GIL = 0.5
_PICKLES_SHARE = 0.5
_LOADED = 0.7  # of all cores; from here on queues grow
_LONG_NS = 5 * NS_PER_S  # longer than a client should wait on an open connection
_LEAST_BURDEN, _MOST_BURDEN = 2.0, 6.0  # of a job inline, in its own durations; what is more is the machine's noise
_LOOP = asyncio_loop.LOOP.name
_TO_THREAD, _PROCESSES = to_thread.DISPATCH.name, processes.DISPATCH.name
SIMPLEST_FIRST = (INLINE, ASYNC, _TO_THREAD, _PROCESSES)
"""The dispatches that advice is about."""


def busy_share(load: Load, profile: Profile) -> float:
    """Returns in what share of the time a job would run if they ran one after the other: 1 under a closed load."""
    return 1.0 if load.rate is None else min(1.0, load.rate * profile.duration.value / NS_PER_S)


def wait_ns(measured: Measured, busy: float) -> int:
    """Returns how long others on the loop may have to wait because of a job, in ns.

    That is the loop lag at the quantile that the jobs' own share of the time still reaches: the 99th percentile, the
    99.9th where jobs run less than a fiftieth of the time, and the greatest where it is less than a five-hundredth.
    """
    if busy >= 0.02:  # noqa: PLR2004
        return measured.lag.p99_ns
    return measured.lag.p999_ns if busy >= 0.002 else measured.lag.max_ns  # noqa: PLR2004


def way(strategy: str, runs: Sequence[Measured], busy: float) -> Way:
    """Sums up the runs of one way.

    Args:
        strategy: loop and dispatch.
        runs: at least one.
        busy: see ``busy_share``.
    """
    return Way(
        strategy=strategy,
        runs=len(runs),
        jobs=sum(run.jobs for run in runs),
        response=median_estimate([run.response.p50_ns for run in runs]),
        wait=median_estimate([wait_ns(run, busy) for run in runs]),
        burden=median_estimate(_burdens(runs, busy)),
        cpu_per_job_ns=median_estimate([run.cpu_per_job_ns for run in runs]).value,
        memory_bytes=median_estimate([run.peak_memory_bytes for run in runs]).value,
        priming_ns=median_estimate([run.priming_ns for run in runs]).value,
    )


def unmeasured(strategy: str, why: str) -> Way:
    """Returns a way that could not be measured."""
    return Way(strategy=strategy, missing=why)


def _burdens(runs: Sequence[Measured], busy: float) -> list[float]:
    return [run.response.p50_ns + wait_ns(run, busy) for run in runs]


def choose(
    *,
    target: str,
    load: Load,
    profile: Profile,
    runs: Mapping[str, Sequence[Measured]],
    missing: Mapping[str, str],
    cores: int,
    noises: Sequence[Noise] = (),
) -> Advice:
    """Recommends a way.

    Args:
        target: as the user named it.
        load: the arrival of jobs.
        profile: the function by itself.
        runs: of each dispatch, in the order of rounds; without the rounds that the machine disturbed.
        missing: why a dispatch was not measured.
        cores: that this process may use.
        noises: the noise of the machine in each round that it disturbed.

    Returns:
        The advice; its choice is "" where too little was measured, or the machine was too busy with something else.
    """
    busy = busy_share(load, profile)
    names = sorted({*runs, *missing}, key=SIMPLEST_FIRST.index)
    ways = tuple(_way(name, runs.get(name, ()), missing, busy) for name in names)
    advice = Advice(target=target, load=str(load), profile=profile, ways=ways, choice="", reason="")
    if disturbed(profile.noise):
        return replace(advice, reason=_too_noisy([profile.noise]), noise=profile.noise)
    queue = needs_queue(profile, load, cores)
    if queue:
        return replace(advice, choice="task queue", reason=queue, caveats=tuple(_caveats(profile, {}, "task queue")))
    quiet = max((len(runs[name]) for name in names if runs.get(name)), default=0)
    if noises and len(noises) >= quiet:
        return replace(advice, reason=_too_noisy(noises), noise=total(*noises))
    enough = {name: list(runs[name]) for name in names if runs.get(name) and _enough(runs[name])}
    if INLINE not in enough or len(enough) < 2:  # noqa: PLR2004
        return replace(advice, reason=_too_little(ways))
    best = _best(enough, busy, profile)
    by_name = dict(zip(names, ways, strict=True))
    choice, reason = _judge(profile, by_name, best)
    return replace(
        advice, choice=choice, reason=reason, break_even=_break_even(profile, by_name, best),
        caveats=(*_caveats(profile, by_name, choice), *_left_out(noises, quiet)), noise=total(*noises),
    )  # fmt: skip


def _way(name: str, runs: Sequence[Measured], missing: Mapping[str, str], busy: float) -> Way:
    """Returns the way of a dispatch, measured or not."""
    strategy = f"{_LOOP}/{name}"
    return way(strategy, runs, busy) if runs else unmeasured(strategy, missing.get(name, "no run that counts"))


def _enough(runs: Sequence[Measured]) -> bool:
    return len(runs) >= FEWEST_RUNS and sum(run.jobs for run in runs) >= FEWEST_JOBS


def _too_little(ways: Sequence[Way]) -> str:
    counts = (f"{counted(item.jobs, 'job')} in {counted(item.runs, 'run')}" for item in ways)
    listed = ", ".join(f"{item.strategy} {item.missing or count}" for item, count in zip(ways, counts, strict=True))
    return (
        f"too little was measured to recommend anything ({listed}; it takes {FEWEST_RUNS} runs with {FEWEST_JOBS} jobs"
        " of inline and of one other way)"
    )


def _too_noisy(noises: Sequence[Noise | None]) -> str:
    seen = total(*noises)
    assert seen is not None  # it was found to be too much
    return (
        f"too noisy to say: {told(seen)}; stop the other programs on this machine, or use an idle one, and run it again"
    )


def _left_out(noises: Sequence[Noise], quiet: int) -> list[str]:
    seen = total(*noises)
    if seen is None:
        return []
    rounds = counted(len(noises) + quiet, "round")
    return [f"{len(noises)} of {rounds} were left out because the machine was busy: {told(seen)}"]


def settled(runs: Mapping[str, Sequence[Measured]], load: Load, profile: Profile) -> bool:
    """Returns whether more rounds change the result only by chance: no way looks better than the best without being so.

    Args:
        runs: of each dispatch, in the order of rounds.
        load: the arrival of jobs.
        profile: the function by itself.
    """
    busy = busy_share(load, profile)
    ordered = {name: runs[name] for name in sorted(runs, key=SIMPLEST_FIRST.index) if runs[name]}
    if len(ordered) < 2:  # noqa: PLR2004
        return True
    best = _best(ordered, busy, profile)
    others = [name for name in ordered if SIMPLEST_FIRST.index(name) > SIMPLEST_FIRST.index(best)]
    return not any(_gain(ordered[best], ordered[name], busy).value >= _margin(name, profile) for name in others)


def _best(runs: Mapping[str, Sequence[Measured]], busy: float, profile: Profile) -> str:
    """Returns the simplest way that no other one is clearly better than."""
    chosen = next(iter(runs))
    for name in list(runs)[1:]:
        gain = _gain(runs[chosen], runs[name], busy)
        spared_ns = (
            median_estimate(_burdens(runs[chosen], busy)).value - median_estimate(_burdens(runs[name], busy)).value
        )
        if gain.low > 0 and gain.value >= _margin(name, profile) and spared_ns >= _LEAST_NS:
            chosen = name
    return chosen


def _gain(ours: Sequence[Measured], theirs: Sequence[Measured], busy: float) -> Estimate:
    """Estimates the logarithm of the ratio of two ways' burdens, round by round."""
    pairs = zip(_burdens(ours, busy), _burdens(theirs, busy), strict=False)
    return hodges_lehmann([math.log(mine / other) for mine, other in pairs])


def _margin(name: str, profile: Profile) -> float:
    """Returns by how much a way has to be better; what runs without the GIL gains nothing by leaving a thread."""
    free = profile.gil_share is not None and profile.gil_share < _HOLDS_GIL
    return _WIDE_MARGIN if free and name == _PROCESSES else _MARGIN


def needs_queue(profile: Profile, load: Load, cores: int) -> str:
    """Returns why only a task queue will do, so that no way has to be measured; "" where something else may."""
    needed = (load.rate or 0.0) * profile.process_cpu_ns / NS_PER_S
    if needed > _LOADED * cores:
        return (
            f"{load.rate:g} jobs a second need {needed:.1f} cores and this machine has {cores}: run them on"
            " workers elsewhere, behind a queue that absorbs the peaks"
        )
    if profile.duration.value >= _LONG_NS:
        return (
            f"a job takes {format_ns(profile.duration.value)}, longer than a client should hold a connection open or a"
            " restart can wait for: queue it, and answer with the place of its result"
        )
    return ""


def _judge(profile: Profile, ways: Mapping[str, Way], best: str) -> tuple[str, str]:
    """Returns the choice and its reason."""
    off = {name: item for name, item in ways.items() if name in {_TO_THREAD, _PROCESSES} and item.wait is not None}
    chosen = ways[best]
    assert chosen.wait is not None  # it was measured
    if best in {INLINE, _TO_THREAD} and chosen.wait.value >= _HARMFUL_NS and _stuck(profile):
        return "native code", (
            f"under {best} others still wait up to {format_ns(chosen.wait.value)}, for it keeps the GIL"
            f" {profile.gil_share or 0:.0%} of its time; processes do not help, because {_why_not(profile)}:"
            " do the heavy part in code that releases the GIL"
        )
    inline = ways[INLINE]
    if best == INLINE:
        rest = "".join(f"; {name}: {_sum(item)}" for name, item in off.items())
        return INLINE, f"no way off the loop is clearly better: inline {_sum(inline)}{rest}"
    return best, f"{_sum(chosen)}, inline {_sum(inline)}"


def _stuck(profile: Profile) -> bool:
    """Returns whether neither threads nor processes can help."""
    holds = profile.gil_share is not None and profile.gil_share >= _HOLDS_GIL
    return holds and (bool(profile.unpicklable) or profile.pickling_ns >= _PICKLES_SHARE * profile.duration.value)


def _why_not(profile: Profile) -> str:
    if profile.unpicklable:
        return profile.unpicklable
    return f"pickling takes {format_ns(profile.pickling_ns)} of a job of {format_ns(profile.duration.value)}"


def _sum(item: Way) -> str:
    assert item.response is not None
    assert item.wait is not None
    return f"callers wait {format_ns(item.response.value)} and others up to {format_ns(item.wait.value)}"


def _break_even(profile: Profile, ways: Mapping[str, Way], best: str) -> str:
    """Returns the duration from which leaving the loop pays.

    Inline, a job of d is a burden of k·d, where k is at least 2 (its caller and others wait d each) and grows with the
    load: it is taken from what was measured. Elsewhere the caller waits d + o and others w. They are equal at
    d = (o + w) / (k - 1).
    """
    duration_ns, inline = profile.duration.value, ways[INLINE].burden
    assert inline is not None  # it was measured
    factor = min(_MOST_BURDEN, max(_LEAST_BURDEN, inline.value / duration_ns))
    names = [best] if best in {_TO_THREAD, _PROCESSES} else [_TO_THREAD, _PROCESSES]
    known = [
        ((max(0.0, item.response.value - duration_ns) + item.wait.value) / (factor - 1), name)
        for name in names
        if (item := ways.get(name)) is not None and item.response is not None and item.wait is not None
    ]
    if not known:
        return ""
    even_ns, name = min(known)
    return (
        f"from about {format_ns(even_ns)} a job on {name} pays at this load; below, inline wins"
        f" (this function takes {format_ns(duration_ns)})"
    )


def _caveats(profile: Profile, ways: Mapping[str, Way], choice: str) -> list[str]:
    seen = list(profile.caveats)
    if profile.gil_share is None:
        seen.append(f"whether it holds the GIL is not known: {profile.gil_note}")
    if profile.unpicklable and choice != "native code":
        seen.append(f"processes cannot be used: {profile.unpicklable}")
    pool = ways.get(_PROCESSES)
    if choice == _PROCESSES and pool is not None:
        seen.append(
            f"the pool takes {format_ns(pool.priming_ns)} to start: start it before the first client connects (as the"
            " code below does), with the method spawn, which works everywhere"
        )
        inline = ways.get(INLINE)
        if inline is not None and pool.memory_bytes > inline.memory_bytes:
            seen.append(f"it takes {format_bytes(pool.memory_bytes - inline.memory_bytes)} more memory")
    if choice == _TO_THREAD:
        seen.append(
            "the default executor has min(32, cores + 4) threads for the whole program: further jobs wait in its"
            " queue; and a cancelled task does not stop its thread"
        )
    return seen
