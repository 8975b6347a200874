"""A service that adds up uploaded sales, on Starlette. The trap: it reads the whole file in Python, on the event loop.

    loopstall watch examples/starlette_sales.py

starts it, uploads a file and ends. With --serve it runs until Ctrl-C. The way out is a process pool: a thread would
still take turns with the loop at the GIL.
"""

from collections import defaultdict
import csv
import io

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from visitors import serve

UPLOAD = "".join(f"2026-11-{day % 30 + 1:02},tea,{day}.50\n" for day in range(100_000)).encode()


def add_up(text: str) -> dict[str, float]:
    """Returns what was sold on each day."""
    days: dict[str, float] = defaultdict(float)
    for day, _, price in csv.reader(io.StringIO(text)):
        days[day] += float(price)  # the trap: a hundred thousand times, and nothing else runs
    return days


async def sales(request: Request) -> JSONResponse:
    """Takes a CSV file and answers with the sums."""
    text = (await request.body()).decode()
    return JSONResponse(add_up(text))


app = Starlette(routes=[Route("/sales", sales, methods=["POST"])])

if __name__ == "__main__":
    serve(app, ("/sales", UPLOAD))
