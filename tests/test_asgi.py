"""The middleware over real frameworks, in their own test clients."""

import asyncio
import logging
import time

import pytest

from loopstall.asgi import StallMiddleware

LONG = 0.1


def client(*, wrapped=False, lifespan=True, **options):
    testclient = pytest.importorskip("starlette.testclient")
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()

    @app.get("/slow/{number}")
    async def slow(number: int):
        time.sleep(LONG)
        return number

    @app.get("/fast")
    async def fast():
        return 1

    if wrapped:
        from starlette.middleware.base import BaseHTTPMiddleware

        async def through(request, call_next):
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=through)
    app.add_middleware(StallMiddleware, **options)
    return testclient.TestClient(app)


@pytest.fixture(autouse=True)
def _deprecations(recwarn):
    """Of the frameworks, which are not ours."""


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*httpx.*")


@pytest.mark.parametrize("wrapped", [False, True])
def test_stall_carries_its_route_also_in_tasks_that_middleware_starts(wrapped):
    found = []
    with client(wrapped=wrapped, threshold=LONG / 2, on_stall=found.append) as asking:
        asking.get("/fast")
        assert asking.get("/slow/7").json() == 7
    (stall,) = (stall for stall in found if stall.cause == "blocking-call")
    assert stall.label == "GET /slow/{number}"
    assert stall.culprit.function.endswith("slow")


def test_response_says_for_how_long_the_loop_stalled():
    with client(threshold=LONG / 2, on_stall=lambda _: None) as asking:
        name, duration, about = asking.get("/slow/7").headers["server-timing"].split(";")
        assert name == "loop-stall"
        assert float(duration.removeprefix("dur=")) >= 1000 * LONG
        assert about in {'desc="1 stall"', 'desc="2 stalls"'}
    with client(server_timing=False, on_stall=lambda _: None) as asking:
        assert "server-timing" not in asking.get("/fast").headers


def test_without_a_lifespan_nothing_stays_behind():
    import threading

    asking = client(threshold=LONG / 2, on_stall=lambda _: None)
    for _ in range(3):
        assert asking.get("/fast").status_code == 200
    assert not [thread for thread in threading.enumerate() if "watchdog" in thread.name]


def test_by_default_a_stall_is_a_warning_in_the_log(caplog):
    with caplog.at_level(logging.WARNING, "loopstall"), client(threshold=LONG / 2) as asking:
        asking.get("/slow/7")
    assert any("blocking-call" in message and "GET /slow/{number}" in message for message in caplog.messages)


def test_innocent_request_that_waited_for_another_one_says_so_in_its_own_response():
    async def app(scope, receive, send):
        if scope["path"] == "/slow":
            await asyncio.sleep(0.02)
            time.sleep(LONG)
        else:
            await asyncio.sleep(0.04)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    sent = {}

    async def ask(wrapped, path):
        async def send(message):
            sent[path] = dict(message["headers"])[b"server-timing"].decode()

        await wrapped({"type": "http", "method": "GET", "path": path}, None, send)

    found = []

    async def main():
        wrapped = StallMiddleware(app, threshold=LONG / 2, on_stall=found.append)
        await asyncio.gather(ask(wrapped, "/innocent"), ask(wrapped, "/slow"))

    asyncio.run(main())
    assert float(sent["/innocent"].split(";")[1].removeprefix("dur=")) >= 900 * LONG
    assert found[0].label == "GET /slow"


@pytest.mark.parametrize("threshold", [0, -1])
def test_threshold_must_be_positive(threshold):
    with pytest.raises(ValueError, match="positive"):
        StallMiddleware(None, threshold)
