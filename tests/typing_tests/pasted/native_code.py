import asyncio
from typing import Any

from loopstall.records.units import format_ns


# Do the heavy part in code that releases the GIL (numpy, zlib, hashlib on big buffers, Cython's nogil, Rust's
# Python::allow_threads); then a thread is enough:
async def handler(*args: Any, **kwargs: Any) -> Any:
    return await asyncio.to_thread(format_ns, *args, **kwargs)
