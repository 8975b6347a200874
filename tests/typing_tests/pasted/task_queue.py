import asyncio
from typing import Any

from celery import Celery

from loopstall.records.units import format_ns

queue = Celery("jobs", broker="redis://localhost", backend="redis://localhost")
job = queue.task(format_ns)


async def handler(*args: Any, **kwargs: Any) -> dict[str, str]:
    sent = await asyncio.to_thread(job.delay, *args, **kwargs)  # the broker's client blocks
    return {"result": f"/results/{sent.id}"}  # answer now; the client asks there
