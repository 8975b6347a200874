"""The load on a server: light and heavy requests at a constant rate, without waiting for answers (open loop)."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import random

from loopstall.harness.load import DISTINCT_SEEDS, due_times
from loopstall.records import Load
from loopstall.records.clock import NS_PER_S, now_ns

__all__ = ["Answer", "Planned", "ask", "drive", "plan"]


@dataclass(frozen=True, slots=True)
class Planned:
    """A request that is due, in ns from the start."""

    due_ns: int
    heavy: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a request: the times when it was due, sent and answered, in ns, and the reason of a failure."""

    heavy: bool
    due_ns: int
    sent_ns: int
    end_ns: int
    error: str = ""


def plan(load: Load, seed: int, *, ahead: float = 0.0) -> Iterator[Planned]:
    """Yields the requests of an open load; the heavy ones are spread evenly over them.

    The last request of each period is the heavy one, with ``ahead``, a share of a period, one that is earlier by that.
    Each is due at a random moment of its own slot: what comes at even steps meets the end of the one before every time,
    or never.
    """
    assert load.heavy is not None
    assert load.rate is not None
    rng = random.Random(seed)
    sent = 0
    for number, slot_ns in enumerate(due_times(load, seed), start=1):
        heavy = int(number * load.heavy + ahead) > sent
        sent += heavy
        due_ns = slot_ns + int(rng.random() * NS_PER_S / load.rate)
        yield Planned(due_ns, heavy, seed + sent % DISTINCT_SEEDS if heavy else 0)


async def drive(port: int, planned: Sequence[Planned], *, started_ns: int, limit_s: float) -> list[Answer]:
    """Sends every request when it is due, each over a connection of its own, and returns when all have ended.

    Args:
        port: the server's.
        planned: the requests to send.
        started_ns: the beginning, on the clock of ``now_ns``.
        limit_s: the time limit of an answer.
    """
    answers: list[Answer] = []

    async def one(item: Planned) -> None:
        due_ns, sent_ns = started_ns + item.due_ns, now_ns()
        error = await ask(port, f"/heavy?seed={item.seed}" if item.heavy else "/light", limit_s=limit_s)
        answers.append(Answer(item.heavy, due_ns, sent_ns, now_ns(), error))

    async with asyncio.TaskGroup() as group:
        for item in planned:
            wait_ns = started_ns + item.due_ns - now_ns()
            if wait_ns > 0:
                await asyncio.sleep(wait_ns / NS_PER_S)
            group.create_task(one(item))
    return answers


async def ask(port: int, target: str, *, limit_s: float) -> str:
    """Sends one request and returns why it failed, "" where it did not."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(limit_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            head = await reader.readline()
            await reader.read()
    except TimeoutError:
        return f"not answered within {limit_s:g} s"
    except (OSError, asyncio.IncompleteReadError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        if writer is not None:
            writer.close()
    status = head.split(b" ", 2)[1:2]
    return "" if status == [b"200"] else f"answered {head.decode('latin-1').strip() or 'nothing'}"
