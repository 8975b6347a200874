"""Routes that are named in a program without a change to it."""

import asyncio

from helpers import loopstall
import pytest

from loopstall.instrument.routes import FRAMEWORKS
from loopstall.monitor.labels import label_here


def named():
    label = label_here()
    return label() if label is not None else ""


def test_route_of_starlette_is_named_while_it_answers(monkeypatch):
    applications = pytest.importorskip("starlette.applications")
    responses = pytest.importorskip("starlette.responses")
    routing = pytest.importorskip("starlette.routing")
    monkeypatch.setattr(applications.Starlette, "__call__", applications.Starlette.__call__)  # taken back in the end

    async def item(request):
        return responses.PlainTextResponse(named())

    FRAMEWORKS["starlette.applications"](applications)
    app, sent = applications.Starlette(routes=[routing.Route("/items/{number}", item)]), []

    async def ask():
        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message.get("body", b""))

        path = {"path": "/items/7", "raw_path": b"/items/7", "query_string": b"", "root_path": ""}
        await app({"type": "http", "method": "GET", "headers": [], **path}, receive, send)
        return named()

    assert asyncio.run(ask()) == ""
    assert b"".join(sent) == b"GET /items/{number}"


def test_route_of_aiohttp_is_named_while_it_answers(monkeypatch):
    web = pytest.importorskip("aiohttp.web")
    test_utils = pytest.importorskip("aiohttp.test_utils")
    monkeypatch.setattr(web.Application, "_handle", web.Application._handle)  # taken back in the end

    async def item(request):
        return web.Response(text=named())

    async def ask():
        app = web.Application()
        app.router.add_get("/items/{number}", item)
        async with test_utils.TestClient(test_utils.TestServer(app)) as client:
            return await (await client.get("/items/7")).text(), (await client.get("/nothing")).status

    FRAMEWORKS["aiohttp.web_app"](web)
    assert asyncio.run(ask()) == ("GET /items/{number}", 404)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("starlette.applications", "class Starlette:\n    async def __call__(self, scope, receive, send): pass\n"),
        ("aiohttp.web_app", "class Application:\n    async def _handle(self, request): pass\n"),
        ("aiohttp.web_app", "class Another: pass\n"),  # of a version to come
    ],
)
def test_framework_that_comes_before_asyncio_is_imported_as_ever(tmp_path, name, content):
    package, _, module = name.partition(".")
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").touch()
    (tmp_path / package / f"{module}.py").write_text(content)
    (tmp_path / "prog.py").write_text(
        f"import sys\nassert 'asyncio' not in sys.modules\nimport {name}\nimport asyncio\nprint('imported')\n"
    )
    done = loopstall("watch", "prog.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "imported\n"), done.stderr
