"""Names looked up by the loop's own threads."""

import asyncio
import contextlib
import socket


async def main():
    loop = asyncio.get_running_loop()
    for name in ("localhost", "nowhere.invalid"):
        with contextlib.suppress(socket.gaierror):
            await asyncio.wait_for(loop.getaddrinfo(name, 80), 30)


if __name__ == "__main__":
    asyncio.run(main())
