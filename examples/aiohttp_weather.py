"""A page that shows the weather, on aiohttp. The trap: it asks another service with a synchronous client.

    loopstall watch examples/aiohttp_weather.py

starts it, sends it a few visitors and ends. With --serve it runs until Ctrl-C. The way out is aiohttp's own client,
or asyncio.to_thread around the call.
"""

import asyncio
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import sys
import threading
import time
from urllib.request import urlopen

from aiohttp import web
from visitors import PORT, visit


class WeatherService(BaseHTTPRequestHandler):
    """Stands in for the other service, which takes its time."""

    def do_GET(self) -> None:
        """Answers after a moment."""
        time.sleep(0.15)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"sunny")

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


async def weather(request: web.Request) -> web.Response:
    """Shows what the other service says."""
    with urlopen(request.app[UPSTREAM], timeout=5) as answer:  # the trap: everybody waits for the other service
        return web.Response(body=answer.read())


UPSTREAM = web.AppKey("upstream", str)


async def main(upstream: str) -> None:
    """Serves, to a few visitors or until Ctrl-C."""
    app = web.Application()
    app[UPSTREAM] = upstream
    app.add_routes([web.get("/", weather)])
    runner = web.AppRunner(app)
    await runner.setup()
    port = PORT if "--serve" in sys.argv else 0  # any that is free
    await web.TCPSite(runner, "127.0.0.1", port).start()
    if "--serve" in sys.argv:
        await asyncio.Event().wait()
    await visit(runner.addresses[0][1], ("/", b""))
    await runner.cleanup()


if __name__ == "__main__":
    service = ThreadingHTTPServer(("127.0.0.1", 0), WeatherService)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    asyncio.run(main(f"http://127.0.0.1:{service.server_port}/"))
    service.shutdown()
    service.server_close()
