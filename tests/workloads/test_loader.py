import ast
import asyncio
import contextlib
import inspect
import itertools
from pathlib import Path
import sys
import textwrap
import threading

from helpers import loopstall, write_workloads
import pytest

from loopstall import workload
from loopstall.dispatch import DISPATCHES
from loopstall.errors import InputError
from loopstall.results import store
from loopstall.workloads.definition import Workload, grid_points
from loopstall.workloads.loader import discover, find, load_file, resolve

GOOD = """
@workload(params={"n": [1, 2], "flag": [True, False]})
def work(seed, *, n, flag):
    '''What it stands for.'''
    return seed
work.verify(ok)
"""


def test_decorated_function_still_does_its_job():
    @workload
    def double(seed):
        return seed * 2

    assert isinstance(double, Workload)
    assert double(4) == 8


def test_grid_spreads_into_all_combinations_in_order():
    assert grid_points([{"a": [1, 2], "b": ["x"]}]) == ((("a", 1), ("b", "x")), (("a", 2), ("b", "x")))


def test_equal_points_of_several_grids_count_once():
    assert len(grid_points([{"a": [1, 2]}, {"a": [2, 3]}])) == 3


def test_context_adds_to_what_each_job_is_called_with_and_is_left():
    steps = []

    @workload
    def work(seed, *, n, place="", more=0):
        return seed, n, place, more

    with work.entered(3, [("n", 2)]) as kwargs:
        assert kwargs == {"n": 2}

    @work.context
    @contextlib.contextmanager
    def _(seed, *, n):
        steps.append((seed, n))
        try:
            yield {"place": "here", "n": 5} if n else None
        finally:
            steps.append("left")

    with work.entered(3, [("n", 0)]) as kwargs:
        assert kwargs == {"n": 0}
    with work.entered(3, [("n", 2)]) as kwargs:
        assert work(1, **kwargs) == (1, 5, "here", 0)
    with contextlib.suppress(LookupError), work.entered(4, [("n", 1)]):
        raise LookupError
    assert steps == [(3, 0), "left", (3, 2), "left", (4, 1), "left"]


def test_file_is_loaded_by_path_once(tmp_path):
    path = write_workloads(tmp_path, GOOD)
    assert load_file(str(path)) is load_file(str(path))
    assert resolve(str(path), "work").stands_for == "What it stands for."
    assert resolve(str(path), "work").ref.path == str(path)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def broken(:\n", "line 7: invalid syntax"),
        ("x = 1\n", "defines no workload"),
        ("raise ValueError('no')\n", "ValueError: no"),
        ("sys.exit(4)\n", "SystemExit: 4"),
        (GOOD + GOOD, "two workloads named 'work'"),
        ("@workload\ndef w(seed): return seed\n", "no verify"),
        ("@workload\ndef w(): return 1\n", "takes no argument"),
        ("@workload(params={'m': [1]})\ndef w(seed, *, n): return 1\n", "no parameter 'm'"),
        ("@workload\nasync def w(seed): return 1\n", "is an async function"),
    ],
)
def test_bad_file_is_refused_in_a_sentence_that_names_it(tmp_path, body, said):
    path = write_workloads(tmp_path, body)
    with pytest.raises(InputError) as caught:
        load_file(str(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no workload file"):
        find([str(tmp_path / "absent.py")])


def test_own_workloads_are_the_default_and_bundled_ones_come_on_request(tmp_path):
    every_bundled_one = {item.name for item in find([], everything=True)}
    assert {"blocking_sleep", "hashing", "file_io"} <= every_bundled_one
    (tmp_path / "workloads").mkdir()
    assert every_bundled_one == {item.name for item in find([], everything=True)}
    write_workloads(tmp_path, GOOD, "workloads/mine.py")
    assert [item.name for item in find([])] == ["work"]
    assert [item.name for item in find([], everything=True)] == ["work"]
    assert {item.name for item in find([], everything=True, bundled=True)} == {"work", *every_bundled_one}
    assert [item.name for item in find(["hashing"])] == ["hashing"]


def test_own_workload_hides_the_bundled_one_of_its_name(tmp_path):
    path = write_workloads(tmp_path, GOOD.replace("work", "hashing").replace("@hashing", "@work"), "workloads/mine.py")
    path.write_text(
        path.read_text().replace("@hashingload", "@workload").replace("import hashingload", "import workload")
    )
    assert discover()["hashing"].path == str(path)


def test_two_files_of_one_folder_with_one_name_are_refused(tmp_path):
    write_workloads(tmp_path, GOOD, "workloads/a.py")
    write_workloads(tmp_path, GOOD, "workloads/b.py")
    with pytest.raises(InputError, match="both define 'work'"):
        discover()


def test_unknown_name_gets_a_hint():
    with pytest.raises(InputError, match="did you mean 'hashing'"):
        find(["hahsing"])


def test_control_comes_first_where_nothing_is_chosen():
    assert find([])[0].name == "blocking_sleep"


def test_async_function_alone_is_its_own_twin(tmp_path):
    path = write_workloads(
        tmp_path, "@workload(dispatches=['async'])\nasync def w(seed, n=3): return seed * n\nw.verify(ok)\n"
    )
    item = resolve(str(path), "w")
    assert item.ref.path == str(path)
    assert asyncio.run(item.async_function(2)) == item(2) == 6
    assert item.why_not("async", {}) is None
    assert item.why_not("inline", {}) == "the workload is about async alone"


def test_workload_says_itself_what_it_has_not(tmp_path):
    body = "@w.missing\ndef _(dispatch, *, n): return 'too many' if n > 1 and dispatch == 'inline' else None\n"
    path = write_workloads(
        tmp_path, f"@workload(params={{'n': [1, 2]}})\ndef w(seed, *, n): return seed\nw.verify(ok)\n{body}"
    )
    done = loopstall(
        "run", path, "-s", "inline", "-s", "threads", "--jobs", 2, "--processes", 1, "-o", "out", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "n/a: too many" in " ".join(done.stdout.split())
    ways = sorted(
        (dict(run.cell.params)["n"], run.cell.strategy.dispatch) for run in store.load([tmp_path / "out"]).runs
    )
    assert ways == [(1, "inline"), (1, "threads"), (2, "threads")]


SMALL = {"seconds": 0.004, "bytes": 70, "rounds": 3, "size": 300, "wait": 0.0, "cost": 4, "length": 3, "records": 40}
SMALL |= {"rows": 60, "lines": 2, "mib": 1, "calls": 3}
"""Parameters with which a job is over at once."""

BUNDLED = sorted(Path(__file__).parents[2].glob("workloads/*.py"))
ALL = [pytest.param(item, id=item.name) for path in BUNDLED for item in load_file(str(path))]


def entered(item, point):
    """What a job at a point of the parameters, made small, is called with."""
    small = [(key, SMALL.get(key, value) if not isinstance(value, (str, bool)) else value) for key, value in point]
    return item.entered(1, small)


def sides(item, point):
    """What does a job at a point: the function, the async version, or both; none where what it needs is not there."""
    missing = DISPATCHES["async"].missing(item) or item.why_not("async", dict(point))
    plain = [item.function] if item.why_not("inline", dict(point)) is None else []
    twin = [lambda seed, **named: asyncio.run(item.async_function(seed, **named))] if missing is None else []
    return {"plain": plain, "twin": twin}


@pytest.mark.parametrize("item", ALL)
def test_bundled_workload_does_right_and_its_verify_can_say_no(item):
    done = 0
    for point in item.points():
        with entered(item, point) as kwargs:
            for side in itertools.chain(*sides(item, point).values()):
                result = side(5, **kwargs)
                assert item.checker(result, 5, **kwargs)
                assert not item.checker("wrong", 5, **kwargs)
                done += 1
    if not done:
        pytest.skip("nothing that it needs is installed")


@pytest.mark.parametrize("item", ALL)
def test_each_parameter_of_a_bundled_workload_is_read_by_every_side(item):
    """A number may be read by the context instead, which makes what the job works on; a word says what the job does."""
    words = {name for grid in item.grids for name, values in grid.items() if isinstance(values[0], str)}
    context = names_read(item.make_context) - words if item.make_context else set()
    for side in filter(None, (inspect.unwrap(item.function), item.async_function)):
        unread = {name for grid in item.grids for name in grid} - names_read(side) - context
        assert not unread, f"{item.name}: {side.__name__} reads no {unread}"


def names_read(function):
    """The names that a function reads, in the source of its body."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body
    read = (node for statement in tree.body for node in ast.walk(statement) if isinstance(node, ast.Name))
    return {node.id for node in read if isinstance(node.ctx, ast.Load)}


@pytest.mark.parametrize("item", [one for one in ALL if any(len(grid) for grid in one.values[0].grids)])
def test_no_two_rows_of_a_bundled_workload_run_the_same_code_under_other_names(item):
    """Rows that differ in words alone do different things: other instructions of the workload's file are executed."""
    for name in ("plain", "twin"):
        executed = {}
        for point in item.points():
            for side in sides(item, point)[name]:
                with entered(item, point) as kwargs:
                    done = instructions(item.path, side, kwargs)
                numbers = tuple((key, value) for key, value in point if not isinstance(value, str))
                words = tuple(value for _, value in point if isinstance(value, str))
                same = [other for other, was in executed.get(numbers, {}).items() if was == done]
                assert not same, f"{item.name}: {words} and {same[0]} are the same {name}"
                executed.setdefault(numbers, {})[words] = done


def instructions(path, side, kwargs):
    """The instructions of a file that a job executes, in any thread."""
    seen = set()

    def trace(frame, event, _):
        if frame.f_code.co_filename != path:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            seen.add((frame.f_code, frame.f_lasti))
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    try:
        side(5, **kwargs)
    finally:
        sys.settrace(None)
        threading.settrace(None)
    return frozenset(seen)


def overflows():
    """How many connections this machine's sockets have had no room for so far."""
    names, values = (
        line.split() for line in Path("/proc/net/netstat").read_text().splitlines() if line.startswith("TcpExt:")
    )
    return int(dict(zip(names, values, strict=True))["ListenOverflows"])


@pytest.mark.alone  # others' sockets count too
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_server_of_the_downloads_has_room_for_every_connection(tmp_path):
    """What finds no room is sent again after a second, and that second would be what is measured."""
    before = overflows()
    words = ("-p", "how=gather", "-p", "limit=100", "-s", "async", "-s", "threads", "--concurrency", 16)
    done = loopstall(
        "run", "http_download", *words, "--jobs", 48, "--processes", 1, "-o", "out", "--threshold", "1s", cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {run.cell.strategy.dispatch for run in store.load([tmp_path / "out"]).runs} <= {"async", "threads"}
    assert overflows() == before


def test_downloads_are_n_a_where_a_client_has_no_such_side(tmp_path):
    done = loopstall("run", "http_download", "--all", "--jobs", 1, "-p", "how=task_group", "-s", "inline", cwd=tmp_path)
    assert done.returncode == 5, done.stderr
    assert "aiohttp has no synchronous side" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("awaits", "-p", "how=gather"), "the workload is about async alone"),
        (("http_download", "-p", "how=task_group"), "aiohttp has no synchronous side"),
    ],
)
def test_nobody_advises_on_what_has_no_synchronous_side(tmp_path, words, why):
    done = loopstall("advise", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_servers_do_not_do_work_that_is_an_async_function_alone(tmp_path):
    words = ("--work", "awaits", "-p", "how=gather", "--seconds", "0.2s", "--processes", 1)
    done = loopstall("serve-bench", "socket", *words, cwd=tmp_path)
    assert done.returncode == 5
    assert "the workload is about async alone" in " ".join(done.stdout.split())
