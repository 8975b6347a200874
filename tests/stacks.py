"""Stalls of a web service with the deep stacks that a framework makes, by hand."""

from loopstall.records import Frame, Stall, StallEvent

PACKAGES = "/srv/venv/lib/python3.12/site-packages"
_LOOP = (
    Frame(file="/usr/lib/python3.12/asyncio/events.py", line=88, function="Handle._run"),
    Frame(file="/usr/lib/python3.12/asyncio/base_events.py", line=1980, function="BaseEventLoop._run_once"),
    Frame(file="/usr/lib/python3.12/asyncio/runners.py", line=118, function="Runner.run"),
)
CHECKOUT = Frame(file="/srv/shop/app.py", line=49, function="checkout")
TOTAL = Frame(file="/srv/shop/prices.py", line=31, function="total")
PRICES = Frame(file="/srv/shop/app.py", line=60, function="prices")
QUANTIZE = Frame(file="/usr/lib/python3.12/decimal.py", line=20, function="Decimal.quantize")
MIDDLEWARES = tuple(
    Frame(file=f"{PACKAGES}/starlette/layer{number}.py", line=number, function=f"Layer{number}.__call__")
    for number in range(50)
)


def served(*inner, route="GET /prices", ms=10, culprit=None, start_ms=0, cause="cpu-python", task="Task-1"):
    """A stall in a request: the user's frames beneath fifty of a framework and those of the loop."""
    return Stall(
        start_ns=start_ms * 1_000_000, duration_ns=int(ms * 1_000_000), cause=cause, rule="a rule",
        culprit=culprit or inner[-1], stack=(*inner, *MIDDLEWARES, *_LOOP), task=task, coroutine="run_asgi", label=route,
    )  # fmt: skip


def shop():
    """Stalls of three routes: one blocks, one computes in a library, one has no line of the user's."""
    return (
        served(CHECKOUT, route="POST /checkout", ms=60, cause="blocking-call"),
        served(QUANTIZE, TOTAL, PRICES, ms=25, culprit=TOTAL, start_ms=100, task="Task-2"),
        served(TOTAL, PRICES, ms=5, culprit=TOTAL, start_ms=150, task="Task-3"),
        served(MIDDLEWARES[0], route="GET /list", ms=10, start_ms=180, culprit=MIDDLEWARES[0], task="Task-4"),
    )


def shop_events():
    """The same as a session sees them, in two processes."""
    return [
        StallEvent(
            stall=stall,
            length_ns=stall.duration_ns,
            at=1000 + stall.start_ns / 1e9,
            process=f"uvicorn {7 + number % 2}",
        )
        for number, stall in enumerate(shop())
    ]
