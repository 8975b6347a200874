"""What to write instead of a line that blocks the loop."""

import ast

import pytest

from loopstall.analysis.fixes import WAYS, fix_of_line, fix_of_strategy
from loopstall.dispatch import DISPATCHES

WAIT, COMPUTE = "sync-wait-on-loop", "cpu-on-loop"
POOL = "pool = ProcessPoolExecutor()  # once, at start-up\nloop = asyncio.get_running_loop()\n"
IN_POOL = "await loop.run_in_executor"


@pytest.mark.parametrize(
    ("source", "callee", "code"),
    [
        ("time.sleep(0.1)", "", "await asyncio.sleep(0.1)"),
        ("data = requests.get(url)", "", "data = await asyncio.to_thread(requests.get, url)"),
        ("return get(url, timeout=3)", "", "return await asyncio.to_thread(get, url, timeout=3)"),
        ("x = get(url).json()", "", "x = await asyncio.to_thread(lambda: get(url).json())"),
        ("return {'a': load(x), 'b': 3}", "Store.load", "return {'a': await asyncio.to_thread(load, x), 'b': 3}"),
        ("if self.store.load(x).ok:", "Store.load", "if (await asyncio.to_thread(self.store.load, x)).ok:"),
        ("x = await send(load(x))", "load", "x = await send(await asyncio.to_thread(load, x))"),
        ("os.fsync(\n    file\n)", "", "await asyncio.to_thread(os.fsync, file)"),
    ],
)
def test_waiting_call_is_awaited_where_it_stands(source, callee, code):
    assert fix_of_line(WAIT, source, callee=callee).code == code


@pytest.mark.parametrize(
    "source",
    ["with open(path) as file:", "", "else:", "x = [load(y) for y in ys]", "for x in load():\n    y(", "yield load()"],
)
def test_line_that_cannot_be_rewritten_gets_a_pattern(source):
    fix = fix_of_line(WAIT, source)
    assert fix.code.startswith("result = await asyncio.to_thread(work, ...)")
    assert "async version" in fix.advice


def test_lock_that_another_thread_holds_is_waited_for_in_a_thread():
    fix = fix_of_line(WAIT, "with self.lock:", locked=True)
    assert fix.code.startswith("await asyncio.to_thread(self.lock.acquire)\ntry:")
    assert fix.code.endswith("self.lock.release()")
    assert fix_of_line(WAIT, "x = jobs.get()", locked=True).code == "x = await asyncio.to_thread(jobs.get)"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("return total(orders)", f"{POOL}return {IN_POOL}(pool, total, orders)"),
        ("x = total(orders, tax=2)", f"{POOL}x = {IN_POOL}(pool, functools.partial(total, orders, tax=2))"),
        ("x = sum(y * y for y in ys)", f"{POOL}result = {IN_POOL}(pool, compute, ...)"),
        ("for order in orders:", f"{POOL}result = {IN_POOL}(pool, compute, ...)"),
    ],
)
def test_what_computes_goes_to_a_pool_of_processes(source, code):
    assert fix_of_line(COMPUTE, source).code == code


def test_a_thread_is_enough_for_what_gives_the_gil_up_and_where_there_is_none():
    source = "key = hashlib.scrypt(word, salt=salt, n=16384, r=8, p=1)"
    assert fix_of_line(COMPUTE, source, native=True).code.startswith("key = await asyncio.to_thread(hashlib.scrypt")
    assert fix_of_line(COMPUTE, source, native=False).code.startswith(POOL)
    assert "no GIL" in fix_of_line(COMPUTE, "x = total(orders)", gil=False).advice


@pytest.mark.parametrize("kind", ["gc-pause", "gil-contention", "noisy-machine", "stall-of-unknown-cause"])
def test_cause_that_no_statement_mends_has_none(kind):
    assert fix_of_line(kind, "x = total(orders)") is None


def test_every_way_off_the_loop_has_code_that_is_python():
    assert set(WAYS) == set(DISPATCHES) - {"inline"}
    for name in WAYS:
        code = fix_of_strategy(name, "hash_it").code
        ast.parse(code)
        assert "hash_it" in code
    assert fix_of_strategy("inline", "hash_it") is None
    ast.parse(fix_of_strategy("to_thread", "no name").code)
