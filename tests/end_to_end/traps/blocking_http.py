"""A synchronous HTTP client in an async def, waiting for a slow server."""

import asyncio
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import threading
import time
import urllib.request

CAUSES = {"blocking-call"}


class Slow(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.2)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


async def handler(url):
    with urllib.request.urlopen(url, timeout=30) as answer:  # culprit
        return answer.status


async def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        assert await handler(f"http://127.0.0.1:{server.server_port}/") == 204
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()


if __name__ == "__main__":
    asyncio.run(main())
