"""How typed programs use the package; mypy checks it, nothing runs it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
import logging

from opentelemetry.sdk.trace import SpanProcessor

import loopstall
from loopstall import Evidence, Frame, InputError, StackSample, Stall, Workload, workload
from loopstall.asgi import StallMiddleware
from loopstall.integrations.logs import StallLogger
from loopstall.integrations.otel import StallSpanProcessor
from loopstall.metrics import BUCKETS, LoopFigures, LoopMetrics
from loopstall.pytest_plugin.benchmark import LoopBenchmark
from loopstall.pytest_plugin.recorder import Stalls


@workload
def plain(seed: int) -> int:
    return seed


@workload(params={"n": [1, 2], "word": ["a"]}, control=True)
def with_parameters(seed: int, *, n: int, word: str) -> str:
    return word * n


@with_parameters.async_version(requires=["aiofiles"])
async def _(seed: int, *, n: int, word: str) -> str:
    await asyncio.sleep(0)
    return word * n


@with_parameters.verify
def _(result: object, seed: int, *, n: int, word: str) -> bool:
    return result == word * n


@with_parameters.context
@contextmanager
def _(seed: int, *, n: int, word: str) -> Iterator[dict[str, str]]:
    yield {}


first: Workload = plain
second: Workload = with_parameters


async def watched() -> int:
    with loopstall.watch(threshold=0.005) as stalls:
        await asyncio.sleep(1)
    first_stall: Stall = stalls[0]
    return first_stall.duration_ns + stalls.count


@loopstall.watch(threshold=0.01, on_stall=print)
async def decorated(word: str) -> str:
    return word


def typed() -> str:
    answer: str = asyncio.run(decorated("a"))
    return answer


def seen(stall: Stall) -> int:
    culprit: Frame | None = stall.culprit
    samples: tuple[StackSample, ...] = stall.glimpses
    evidence: Evidence | None = stall.evidence
    line: int = culprit.line if culprit is not None else 0
    return line + sum(sample.at_ns for sample in samples) + (evidence.throttled_ns if evidence is not None else 0)


def read(folder: str) -> str:
    try:
        loopstall.load(folder)
    except InputError as error:
        return str(error)
    return loopstall.__version__


def served() -> float:
    metrics: LoopMetrics = LoopMetrics(threshold=0.05).start()
    figures: LoopFigures = metrics.figures()
    return figures.availability + BUCKETS[0]


def logged(stall: Stall) -> None:
    logger: StallLogger = StallLogger(0.05, logger=logging.getLogger("mine"), level=logging.ERROR, per_minute=6).start()
    logger(stall)
    logger.stop()


def traced(inner: SpanProcessor) -> bool:
    processor: SpanProcessor = StallSpanProcessor(inner, threshold=0.05)
    return processor.force_flush(1000)


def wrapped(app: StallMiddleware) -> StallMiddleware:
    return StallMiddleware(app, 0.05, on_stall=print, server_timing=False)


def test_own_code_never_blocks(stalls: Stalls) -> None:
    with stalls.window("checkout") as during:
        assert not during.own


def test_is_benchmarked(loop_benchmark: LoopBenchmark) -> None:
    loop_benchmark(watched, loop="uvloop")
