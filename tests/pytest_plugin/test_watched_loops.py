"""Which event loops the plugin watches: every way to run one, in every thread and scope, and none of another process."""

from helpers import import_or_skip
from own_tests import BUDGET, FINE, LONG, run
import pytest

from loopstall.loops import LOOPS


def test_loops_in_other_threads_and_those_that_fixtures_started_are_watched(tmp_path):
    tests = f"""
@pytest.fixture
def loop_in_thread():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()

def test_it(loop_in_thread):
    done = threading.Event()
    loop_in_thread.call_soon_threadsafe(lambda: (time.sleep({LONG}), loop_in_thread.call_soon(done.set)))
    assert done.wait(10)
"""
    done = run(tmp_path, tests, *BUDGET)
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout
    assert "the budget is" in done.stdout


@pytest.mark.parametrize(
    "how", ["trio", "curio", "uvloop", "anyio", "pytest_asyncio", "pytest_aiohttp", "starlette", "threads"]
)
def test_every_way_to_run_a_loop_is_watched(tmp_path, how):
    if how in LOOPS:
        import_or_skip(how)
    elif how != "threads":
        pytest.importorskip(how)
    main = f"async def main():\n    time.sleep({LONG})\n"
    tests = {
        "trio": main + "def test_it():\n    import trio\n    trio.run(main)\n",  # imported while the test runs
        "curio": main + "def test_it():\n    import curio\n    curio.run(main)\n",
        "uvloop": main + "def test_it():\n    import uvloop\n    uvloop.run(main())\n",
        "anyio": f"@pytest.mark.anyio\nasync def test_it(anyio_backend):\n    time.sleep({LONG})\n",
        "pytest_asyncio": f"@pytest.mark.asyncio(loop_scope='module')\nasync def test_it():\n    time.sleep({LONG})\n",
        "pytest_aiohttp": f"async def test_it(aiohttp_client):\n    time.sleep({LONG})\n",
        "starlette": main
        + """
def test_it():
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route
    from starlette.testclient import TestClient
    async def slow(request):
        await main()
        return Response()
    assert TestClient(Starlette(routes=[Route("/", slow)])).get("/").status_code == 200
""",
        "threads": main
        + """
def test_it():
    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
""",
    }[how]
    plugins = {
        "anyio": ("anyio",), "pytest_asyncio": ("asyncio",), "pytest_aiohttp": ("asyncio", "aiohttp"),
    }.get(how, ())  # fmt: skip
    tests = "import warnings\nwarnings.simplefilter('ignore')\n" + tests
    ini = "asyncio_mode = auto\n" if how == "pytest_aiohttp" else ""
    done = run(tmp_path, tests, *BUDGET, plugins=plugins, ini=ini)
    assert done.returncode == 1, done.stdout
    assert "passed" not in done.stdout
    assert done.stdout.count("the budget is 100 ms") == done.stdout.count("FAILED ")


def test_loop_scopes_of_pytest_asyncio_are_watched(tmp_path):
    pytest.importorskip("pytest_asyncio")
    tests = "".join(
        f"@pytest.mark.asyncio(loop_scope={scope!r})\nasync def test_{scope}():\n    time.sleep({LONG})\n"
        for scope in ("function", "class", "module", "package", "session")
    )
    done = run(tmp_path, tests, *BUDGET, plugins=("asyncio",))
    assert "5 failed" in done.stdout, done.stdout


def test_subprocesses_are_left_alone(tmp_path):
    script = f"import asyncio, time\nasync def main(): time.sleep({LONG})\nasyncio.run(main())"
    tests = f"""
def test_it():
    import subprocess
    assert "LOOPSTALL_WATCH" not in os.environ
    subprocess.run([sys.executable, "-c", {script!r}], check=True)
"""
    done = run(tmp_path, "import os\n" + tests, *BUDGET)
    assert done.returncode == 0, done.stdout


def test_nothing_is_left_after_the_session(tmp_path):
    (tmp_path / "conftest.py").write_text(
        "import asyncio, threading, pytest\n"
        "@pytest.hookimpl(trylast=True)\n"
        "def pytest_unconfigure(config):\n"
        "    name = asyncio.BaseEventLoop.run_forever.__module__\n"
        "    print('after:', name, [thread.name for thread in threading.enumerate()])\n"
    )
    done = run(tmp_path, FINE, *BUDGET, "-s")
    assert done.returncode == 0, done.stdout
    after = done.stdout.partition("after:")[2]
    assert "MainThread" in after
