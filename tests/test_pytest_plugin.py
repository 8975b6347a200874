"""The pytest plugin as users have it: pytest as a subprocess over tests of their own."""

import json
import os
from pathlib import Path
import re
import subprocess
import sys
from xml.etree import ElementTree as ET

from helpers import import_or_skip
import pytest

from loopstall.loops import LOOPS

HEADER = """
import asyncio, gc, os, sys, threading, time
import pytest

def blocked(seconds):
    async def main():
        time.sleep(seconds)
    asyncio.run(main())
"""
LONG = 0.2
"""Seconds that no stall of a healthy test reaches by accident, with a budget of half of that."""


_OUTER = ("PYTEST", "GITHUB", "CI", "BUILD_NUMBER", "COLUMNS")
"""Variables of whoever runs these tests, by which pytest would print other lines."""


def run(folder, tests, *arguments, ini="", plugins=(), **variables):
    """Runs pytest over tests, without the settings of this project and with no plugin but these and loopstall's."""
    named = [word for name in ("loopstall.pytest_plugin", *plugins) for word in ("-p", name)]
    (folder / "test_own.py").write_text(HEADER + tests)
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}")
    outer = {key: value for key, value in os.environ.items() if not key.startswith(_OUTER)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *named, *map(str, arguments)],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={**outer, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables},
    )  # fmt: skip


BUDGET = ("--stall-budget", "100ms")
BLOCKED = f"def test_blocked():\n    blocked({LONG})\n"
FINE = "def test_fine():\n    asyncio.run(asyncio.sleep(0.2))\n"


def test_blocked_test_fails_with_length_cause_line_task_source_and_advice(tmp_path):
    done = run(tmp_path, BLOCKED + FINE, *BUDGET)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    for text in (
        "the budget is 100 ms",
        "blocking-call",
        "culprit: test_own.py:7 in blocked.<locals>.main",
        "task: Task-",
        "        time.sleep(seconds)",
        " in test_blocked",
        "what to do: Await an asynchronous twin",
        "event-loop stalls",
        "1 stall in 1 test: test_own.py:7",
    ):
        assert text in done.stdout, text
    assert "pluggy/" not in done.stdout


@pytest.mark.parametrize(
    ("ini", "variables"), [("stall_budget = 100ms\n", {}), ("", {"LOOPSTALL_BUDGET": "100ms"})], ids=["ini", "variable"]
)
def test_budget_comes_from_a_setting_or_the_environment_too(tmp_path, ini, variables):
    assert run(tmp_path, BLOCKED, ini=ini, **variables).returncode == 1
    assert run(tmp_path, BLOCKED, *BUDGET[:1], "60s", ini=ini, **variables).returncode == 0


def test_off_costs_nothing(tmp_path):
    tests = (
        BLOCKED
        + """
def test_nothing_is_loaded():
    loaded = {name for name in sys.modules if name.partition(".")[0] == "loopstall"}
    assert loaded == {"loopstall", "loopstall.pytest_plugin"}
    assert threading.active_count() == 1
    assert "run_forever" not in asyncio.SelectorEventLoop.__dict__
    assert asyncio.BaseEventLoop.run_forever.__module__ == "asyncio.base_events"
"""
    )
    done = run(tmp_path, tests)
    assert done.returncode == 0, done.stdout
    assert "event-loop stalls" not in done.stdout


@pytest.mark.parametrize(("words", "status"), [((), 1), (("-p", "no:loopstall"), 0)])
def test_plugin_is_found_by_its_entry_point_and_can_be_left_out(tmp_path, words, status):
    (tmp_path / "test_own.py").write_text(HEADER + BLOCKED)
    (tmp_path / "pytest.ini").write_text("[pytest]")
    command = [sys.executable, "-m", "pytest", "-p", "no:asyncio", "-p", "no:aiohttp", *words]
    environment = {**os.environ, "LOOPSTALL_BUDGET": "100ms"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == status, done.stdout + done.stderr


def test_marks_set_lift_and_need_a_reason(tmp_path):
    tests = f"""
@pytest.mark.stall_budget("100ms")
def test_own():
    blocked({LONG})

@pytest.mark.stall_budget(None, reason="is rewritten in 2.1")
def test_lifted():
    blocked({LONG})

def test_none():
    blocked({LONG})
"""
    done = run(tmp_path, tests)
    assert "1 failed, 2 passed" in done.stdout
    assert "FAILED test_own.py::test_own" in done.stdout
    done = run(tmp_path, tests, *BUDGET)
    assert "2 failed, 1 passed" in done.stdout


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("stall_budget(None)", "needs reason="),
        ("stall_budget()", "takes a budget"),
        ('stall_budget("20")', "not a duration"),
        ('stall_budget("20ms", much=1)', "takes a budget"),
    ],
)
def test_wrong_mark_is_wrong_use(tmp_path, mark, said):
    done = run(tmp_path, f"@pytest.mark.{mark}\ndef test_it():\n    pass\n")
    assert done.returncode == 4, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_budget_is_wrong_use(tmp_path):
    done = run(tmp_path, FINE, "--stall-budget", "fifty")
    assert done.returncode == 4
    assert "write for instance 50ms" in done.stderr


def test_many_short_stalls_break_the_total(tmp_path):
    tests = """
def test_many():
    async def main():
        for _ in range(10):
            time.sleep(0.03)
            await asyncio.sleep(0)
    asyncio.run(main())
"""
    done = run(tmp_path, tests, "--stall-total", "200ms", "--stall-budget", "10s")
    assert done.returncode == 1, done.stdout
    assert "in all" in done.stdout
    assert run(tmp_path, tests, "--stall-total", "20s").returncode == 0


def test_fixtures_are_not_watched_and_windows_alone_count(tmp_path):
    tests = f"""
@pytest.fixture
def slow():
    blocked({LONG})

def test_fixture_is_no_matter(slow):
    pass

def test_outside_of_the_window(stalls):
    blocked({LONG})
    with stalls.window("checkout"):
        asyncio.run(asyncio.sleep(0.01))
    assert [stall for stall in stalls if stall.duration_ns > 1e8] == []

def test_inside_of_the_window(stalls):
    with stalls.window("checkout"):
        blocked({LONG})
    assert stalls[0].cause == "blocking-call"

def test_without_windows(stalls):
    assert len(stalls) == 0
    blocked({LONG})
    assert max(stall.duration_ns for stall in stalls) > 1e8
"""
    done = run(tmp_path, tests, *BUDGET)
    assert "2 failed, 2 passed" in done.stdout, done.stdout
    assert "FAILED test_own.py::test_inside_of_the_window" in done.stdout
    assert run(tmp_path, tests).returncode == 0  # the fixture alone fails nothing


def test_test_that_fails_by_itself_keeps_its_own_error(tmp_path):
    done = run(tmp_path, f"def test_it():\n    blocked({LONG})\n    assert 1 == 2\n", *BUDGET)
    assert "assert 1 == 2" in done.stdout
    assert "the budget is" not in done.stdout


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


def test_workers_of_xdist_report_to_the_summary(tmp_path):
    pytest.importorskip("xdist")
    done = run(tmp_path, BLOCKED + FINE, *BUDGET, "-n", 2, plugins=("xdist",))
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "1 stall in 1 test: test_own.py:7" in done.stdout


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


def test_annotations_on_github(tmp_path):
    done = run(tmp_path, BLOCKED, *BUDGET, GITHUB_ACTIONS="true")
    assert "::warning file=test_own.py,line=7,title=an event loop was blocked::" in done.stdout


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


@pytest.mark.parametrize("with_", ["faulthandler", "pytest_timeout", "pytest_cov"])
def test_other_plugins_that_watch_go_on_working(tmp_path, with_):
    tests = BLOCKED + FINE
    if with_ == "faulthandler":
        hanging = "def test_hangs():\n    time.sleep(1.5)\n"
        done = run(tmp_path, tests + hanging, *BUDGET, ini="faulthandler_timeout = 0.5\n")
        assert "test_hangs" in done.stderr  # its own dump of the stacks
        assert "1 failed, 2 passed" in done.stdout, done.stdout
        return
    pytest.importorskip(with_)
    if with_ == "pytest_timeout":
        hanging = "def test_hangs():\n    time.sleep(60)\n"
        done = run(tmp_path, tests + hanging, *BUDGET, "--timeout", 2, plugins=("pytest_timeout",))
        assert "Timeout" in done.stdout
        assert "2 failed, 1 passed" in done.stdout, done.stdout
    else:
        done = run(tmp_path, tests, *BUDGET, "--cov", ".", "--cov-report", "term", plugins=("pytest_cov",))
        assert "1 failed, 1 passed" in done.stdout, done.stdout
        assert "test_own.py" in done.stdout.partition("coverage:")[2]


def test_on_it_needs_the_standard_library_and_pytest_alone(tmp_path):
    tests = """
def test_it():
    asyncio.run(asyncio.sleep(0))
    assert "loopstall.pytest_plugin.session" in sys.modules
    tops = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
    allowed = {"loopstall", "pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "test_own"}
    allowed |= {"sitecustomize", "usercustomize"}  # of the machine, whatever it is
    unknown = {name for name in tops - allowed if not name.startswith(("_", "py"))}
    assert not unknown, unknown
"""
    done = run(tmp_path, tests, *BUDGET, "--stall-report", "out.json")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["out.html", "out.json", "out.junit", "out.xml", "out.speedscope.json"])
def test_report_of_the_session_has_the_form_of_its_name(tmp_path, name):
    done = run(tmp_path, BLOCKED + FINE, *BUDGET, "--stall-report", name)
    assert f"the stalls are in {tmp_path / name}" in done.stdout
    text = (tmp_path / name).read_text()
    if name.endswith("html"):
        assert "test_own.py::test_blocked" in text
        assert "over budget" in text
    elif name == "out.json":
        document = json.loads(text)
        (stall,) = (one for one in document["stalls"] if one["over"])
        assert stall["test"] == "test_own.py::test_blocked"
        assert stall["stall"]["culprit"]["line"] == 7
        assert document["over"] == 1
        jsonschema = pytest.importorskip("jsonschema")
        schema = Path(__file__).parent.parent / "docs" / "stalls.schema.json"
        jsonschema.validate(document, json.loads(schema.read_text()))
    elif name.endswith("speedscope.json"):
        (profile,) = json.loads(text)["profiles"]
        assert profile["name"] == "test_own.py::test_blocked"
        assert sum(profile["weights"]) > 1e8
    else:
        (failure,) = ET.fromstring(text).iter("failure")  # noqa: S314  # our own
        assert failure.get("type") == "blocking-call"


def test_report_with_workers_is_that_of_all(tmp_path):
    pytest.importorskip("xdist")
    done = run(tmp_path, BLOCKED + FINE, *BUDGET, "--stall-report", "out.json", "-n", 2, plugins=("xdist",))
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["over"] == 1, done.stdout
    assert document["stalls"][0]["stall"]["stack"]
    assert document["stalls"][0]["process"].startswith("gw")


@pytest.mark.parametrize(("file", "said"), [("out.doc", "names no form"), ("no/out.html", "No such file")])
def test_report_that_cannot_be_written_is_wrong_use_before_any_test(tmp_path, file, said):
    done = run(tmp_path, FINE, *BUDGET, "--stall-report", file)
    assert done.returncode == 4
    assert said in done.stderr
    assert "passed" not in done.stdout


def test_baseline_lets_todays_stalls_pass_and_what_is_new_or_worse_fail(tmp_path):
    done = run(tmp_path, BLOCKED + FINE, *BUDGET, "--stall-baseline", "write")
    assert done.returncode == 0, done.stdout
    assert "1 entry was added" in done.stdout
    written = (tmp_path / "loopstall-accepted.toml").read_text()
    assert 'where = "test_own.py in blocked.<locals>.main"' in written
    assert run(tmp_path, BLOCKED + FINE, *BUDGET).returncode == 0
    worse = "def test_worse():\n    blocked(1.5)\n"
    new = f"def test_new():\n    async def new():\n        time.sleep({LONG})\n    asyncio.run(new())\n"
    done = run(tmp_path, BLOCKED + worse + new, *BUDGET)
    assert "2 failed, 1 passed" in done.stdout, done.stdout
    assert "of it were accepted until" in done.stdout
    assert "there when the budget was introduced" in done.stdout


def test_baseline_that_has_run_out_or_is_broken_does_not_hide_anything(tmp_path):
    path = tmp_path / "loopstall-accepted.toml"
    run(tmp_path, BLOCKED, *BUDGET, "--stall-baseline", "write")
    path.write_text(re.sub(r"until = .*", "until = 2020-01-31", path.read_text()))
    done = run(tmp_path, BLOCKED, *BUDGET)
    assert done.returncode == 1
    assert "accepted until 2020-01-31" in done.stdout
    path.write_text("[[accepted]]\nwhat = 'stall'\n")
    done = run(tmp_path, BLOCKED, *BUDGET)
    assert done.returncode == 4
    assert "has no budget" in done.stderr


def test_baseline_needs_a_budget(tmp_path):
    done = run(tmp_path, FINE, "--stall-baseline", "write")
    assert done.returncode == 4
    assert "needs a budget" in done.stderr
