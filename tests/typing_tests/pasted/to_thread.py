import asyncio
from typing import Any

from loopstall.records.units import format_ns


async def handler(*args: Any, **kwargs: Any) -> Any:
    return await asyncio.to_thread(format_ns, *args, **kwargs)
