"""The tables of loops, dispatches and servers, and every place elsewhere that names what is in them."""

import ast
from pathlib import Path

import pytest

import loopstall
from loopstall.advice import choose, words
from loopstall.cli import serve_bench
from loopstall.dispatch import DISPATCHES
from loopstall.loops import LOOPS
from loopstall.pytest_plugin import benchmark
from loopstall.records import Strategy
from loopstall.records.cells import ASYNC, INLINE
from loopstall.runner import matrix
from loopstall.servers import DEF, SERVERS

PACKAGE = Path(loopstall.__file__).resolve().parent
TABLES = ("dispatch", "loops", "_bundled")
NAMES = {*DISPATCHES, *LOOPS}
ELSE = {"asyncio", "trio", "curio", "uvloop", "dask"}  # modules, and a kind of cluster, which may be named as such
LISTED = {
    "records/cells.py": {"inline", "async"},
    "analysis/fixes.py": {"async", "to_thread", "threads", "processes", "interpreters", "anyio", "celery"},
    "cli/run.py": {"processes"},  # the name of an option, and a key of a file
    "results/opened.py": {"threads"},
    "pytest_plugin/benchmark.py": {"inline", "to_thread", "threads", "processes"},
    "cli/serve_bench.py": {"inline", "to_thread", "processes", "celery"},
}
"""Where names stand in a literal, because a file may not import the table or has more to say of each."""


def literals(tree):
    """Yields the words of every list, tuple, set and keys of a dictionary, and of comparisons with a word."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            values = node.elts
        elif isinstance(node, ast.Dict):
            values = node.keys
        elif isinstance(node, ast.Compare):
            values = [node.left, *node.comparators]
        else:
            continue
        yield {item.value for item in values if isinstance(item, ast.Constant) and isinstance(item.value, str)}


def test_no_file_beside_the_tables_lists_their_names_or_asks_for_one():
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(TABLES):
            words_of = set().union(*literals(ast.parse(path.read_text("utf-8"))))
            if listed := words_of & (NAMES - ELSE):
                found[name] = listed
    assert found == LISTED
    assert all(names <= set(DISPATCHES) for names in LISTED.values())


def test_no_file_writes_a_strategy_out():
    pairs = {f"{loop}/{dispatch}" for loop in LOOPS for dispatch in DISPATCHES}
    for path in PACKAGE.rglob("*.py"):
        texts = {node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)}
        assert not texts & pairs, path


@pytest.mark.parametrize("table", [DISPATCHES, LOOPS, SERVERS])
def test_each_entry_stands_under_its_own_name_and_says_what_it_is(table):
    assert all(item.name == name and item.summary for name, item in table.items())


def test_dispatches_name_loops_that_are_there_and_are_not_of_asyncios_kind():
    for dispatch in DISPATCHES.values():
        assert all(LOOPS[name].make is None for name in dispatch.also_on), dispatch.name


def test_every_loop_has_a_dispatch_and_those_of_asyncios_kind_have_all():
    for loop in LOOPS.values():
        there = {name for name, item in DISPATCHES.items() if item.runs_on(loop)}
        assert INLINE in there
        assert (there == set(DISPATCHES)) == (loop.make is not None)
        spread = {item.dispatch for item in matrix.strategies(everything=True) if item.loop == loop.name}
        assert spread == there


def test_strategy_on_the_loop_is_one_whose_dispatch_leaves_jobs_there():
    assert {INLINE, ASYNC} <= set(DISPATCHES)
    on_loop = {name for name in DISPATCHES if Strategy(loop="asyncio", dispatch=name).on_loop}
    assert on_loop == {INLINE, ASYNC}
    assert [name for name in DISPATCHES if Strategy(loop="asyncio", dispatch=name).inline] == [INLINE]


def test_servers_run_the_heavy_route_by_dispatches_that_are_there():
    named = {name for server in SERVERS.values() for name in server.dispatches}
    assert named - {DEF} <= set(DISPATCHES)
    assert DEF not in DISPATCHES
    assert set(serve_bench._DOES) == named


def test_advice_has_code_for_each_dispatch_that_it_may_choose():
    assert set(choose.SIMPLEST_FIRST) <= set(DISPATCHES)
    assert set(choose.SIMPLEST_FIRST) <= set(words._CODE)


def test_plugin_benchmarks_dispatches_of_the_table():
    assert set(benchmark.DISPATCHES) <= set(DISPATCHES)
