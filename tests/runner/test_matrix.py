import dataclasses
import os
import sys

from helpers import loopstall
import pytest

from loopstall.errors import InputError
from loopstall.loops import LOOPS
from loopstall.records import Load, Strategy
from loopstall.runner import matrix
from loopstall.workloads.loader import find


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("asyncio", "asyncio/inline"),
        ("uvloop", "uvloop/inline"),
        ("threads", "asyncio/threads"),
        ("to_thread", "asyncio/to_thread"),
        ("processes", "asyncio/processes"),
        ("uvloop/native", "uvloop/async"),
        ("native", "asyncio/async"),
        ("async", "asyncio/async"),
    ],
)
def test_strategies_have_short_names(text, full):
    assert str(matrix.parse_strategy(text)) == full


@pytest.mark.parametrize(
    ("text", "hint"), [("uvlop", "'uvloop'"), ("uvloop/inlin", "'inline'"), ("asincio/inline", "'asyncio'")]
)
def test_misspelt_strategy_gets_a_hint(text, hint):
    with pytest.raises(InputError, match=hint):
        matrix.parse_strategy(text)


def grids(*settings, name="hashing"):
    return matrix.override(find([name]), settings)[name]


def test_word_chooses_among_declared_values():
    assert [grid["variant"] for grid in grids(("variant", "pbkdf2,big-buffer"))] == [["big-buffer"], ["pbkdf2"]]


def test_number_replaces_declared_values():
    assert {tuple(grid["rounds"]) for grid in grids(("rounds", "3,4"))} == {(3, 4)}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("variant", "pbkdf", "did you mean 'pbkdf2'"),
        ("byts", "1", "did you mean 'bytes'"),
        ("bytes", "1.5", "not a whole number"),
        ("bytes", "-4", "out of range"),
        ("bytes", "many", "not a whole number"),
    ],
)
def test_bad_parameter_is_refused(name, value, said):
    with pytest.raises(InputError, match=said):
        grids((name, value))


@pytest.mark.parametrize("value", ["nan", "inf", "-0.1", "soon"])
def test_bad_seconds_are_refused(value):
    with pytest.raises(InputError):
        grids(("seconds", value), name="blocking_sleep")


def test_flag_is_true_or_false():
    assert grids(("fsync", "false"), name="file_io")[0]["fsync"] == [False]
    with pytest.raises(InputError, match="true or false"):
        grids(("fsync", "maybe"), name="file_io")


def build(name, strategy):
    items = find([name])
    return matrix.build(items, {name: items[0].grids}, [matrix.parse_strategy(strategy)], Load(jobs=1))


def test_cell_without_a_twin_is_skipped_with_the_reason():
    cells, skipped = build("hashing", "async")
    assert cells == ()
    assert {item.reason for item in skipped} == {"the workload has no async version"}


def test_workload_that_is_about_other_strategies_alone_is_skipped_with_the_reason(tmp_path):
    cells, skipped = build("cancelled_thread", "inline")
    assert cells == ()
    assert {item.reason for item in skipped} == {"the workload is about async alone"}
    done = loopstall("run", "cancelled_thread", "-s", "inline", cwd=tmp_path)
    assert (done.returncode, done.stdout.count("the workload is about async alone")) == (5, 2), done.stdout
    both = [matrix.parse_strategy(name) for name in ("inline", "async")]
    items = find(["cancelled_thread"])
    cells, skipped = matrix.build(items, {items[0].name: items[0].grids}, both, Load(jobs=1))
    assert ({str(cell.strategy) for cell in cells}, skipped) == ({"asyncio/async"}, ())


def test_missing_loop_skips_its_cells_with_the_reason(monkeypatch):
    monkeypatch.setitem(LOOPS, "uvloop", dataclasses.replace(LOOPS["uvloop"], missing=lambda: "uvloop is not here"))
    cells, skipped = build("blocking_sleep", "uvloop")
    assert (cells, skipped[0].reason) == ((), "uvloop is not here")


def test_missing_module_of_a_twin_skips_its_cells(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "aiofiles" else object())
    _, skipped = build("file_io", "async")
    assert "aiofiles is not installed" in skipped[0].reason


def test_every_loop_has_every_dispatch():
    assert Strategy(loop="uvloop", dispatch="processes") in matrix.strategies()
    assert len(matrix.strategies()) == 10


def test_slug_tells_cells_apart_that_look_alike():
    items = find(["hashing"])
    cells, _ = matrix.build(items, {"hashing": items[0].grids}, matrix.strategies(), Load(jobs=1))
    assert len({cell.slug for cell in cells}) == len(cells)


def test_curio_that_does_not_run_on_this_python_is_left_out_with_the_reason(tmp_path):
    """As curio 1.6 is from Python 3.12 on, which has no ``multiprocessing.connection.CHALLENGE``."""
    (tmp_path / "curio").mkdir()
    (tmp_path / "curio" / "__init__.py").write_text("raise AttributeError('no CHALLENGE')\n")
    (tmp_path / "curio-9.8.dist-info").mkdir()
    (tmp_path / "curio-9.8.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: curio\nVersion: 9.8\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = loopstall("run", "blocking_sleep", "-s", "curio", "--processes", 1, cwd=tmp_path, env=env)
    assert done.returncode == 5, done.stderr
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    assert f"curio 9.8 does not run on {python} (AttributeError: no CHALLENGE)" in " ".join(done.stdout.split())


def test_loops_of_another_kind_have_what_is_written_for_them():
    assert [str(item) for item in matrix.strategies(everything=True) if item.loop in {"trio", "curio"}] == [
        "trio/inline",
        "trio/to_thread",
        "trio/anyio",
        "curio/inline",
        "curio/to_thread",
    ]


def test_word_means_the_servers_that_it_names():
    assert {str(item) for item in matrix.scenarios_of("uvicorn-1/[it]*")} == {"uvicorn-1/inline", "uvicorn-1/to_thread"}
    assert {item.loop for item in matrix.scenarios_of("gunicorn-*")} >= {"gunicorn-1", "gunicorn-gthread"}
    assert matrix.scenarios_of("streams") == tuple(item for item in matrix.scenarios() if item.loop == "streams")
    assert matrix.scenarios_of("hashing") == ()
