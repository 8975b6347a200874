"""Code to write instead of a line that blocks the loop: sentences and code to copy, made of the line itself."""

import ast
from dataclasses import dataclass

__all__ = ["WAYS", "Fix", "fix_of_line", "fix_of_strategy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A sentence that says what to do, and code that does it; "" for none."""

    advice: str
    code: str = ""


_START = "pool = ProcessPoolExecutor()  # once, at start-up\nloop = asyncio.get_running_loop()\n"
_POOL = f"{_START}result = await loop.run_in_executor(pool, {{call}})"
_LOCK = """\
await asyncio.to_thread({lock}.acquire)
try:
    ...
finally:
    {lock}.release()"""

WAYS = {
    "async": Fix(advice="Await its async version.", code="result = await {function}_async(...)"),
    "to_thread": Fix(
        advice="Send the call to a thread of asyncio's own executor.",
        code="result = await asyncio.to_thread({function}, ...)",
    ),
    "threads": Fix(
        advice="Send the call to a pool of threads of its own.",
        code="pool = ThreadPoolExecutor(8)  # once, at start-up\nloop = asyncio.get_running_loop()\n"
        "result = await loop.run_in_executor(pool, {function}, ...)",
    ),
    "processes": Fix(advice="Send the call to a pool of processes.", code=_POOL.format(call="{function}, ...")),
    "interpreters": Fix(
        advice="Send the call to a pool of interpreters.",
        code="pool = InterpreterPoolExecutor()  # once, at start-up; Python 3.14\nloop = asyncio.get_running_loop()\n"
        "result = await loop.run_in_executor(pool, {function}, ...)",
    ),
    "anyio": Fix(
        advice="Send the call to a thread of anyio's.", code="result = await anyio.to_thread.run_sync({function}, ...)"
    ),
    "celery": Fix(
        advice="Send the call to a task queue.",
        code="sent = await asyncio.to_thread({function}_task.delay, ...)  # a Celery task; its result comes later",
    ),
    "dask": Fix(
        advice="Send the call to the cluster.",
        code="client = await Client(address, asynchronous=True)  # dask.distributed; once, at start-up\n"
        "result = await client.submit({function}, ...)",
    ),
}
"""By dispatch: how a program does what was measured. An event loop alone is no way out, and has none."""

_RELEASING = ("hashlib", "zlib", "bz2", "lzma", "numpy", "np", "ssl", "zstandard")
"""Modules whose long calls give the GIL up, so that a thread is enough."""


def fix_of_strategy(dispatch: str, function: str) -> Fix | None:
    """Returns how to do what a dispatch does, None where there is nothing to write."""
    way = WAYS.get(dispatch)
    if way is None:
        return None
    name = function if function.isidentifier() else "work"
    return Fix(advice=way.advice, code=way.code.format(function=name))


def fix_of_line(
    kind: str, source: str, *, callee: str = "", native: bool = False, locked: bool = False, gil: bool = True
) -> Fix | None:
    """Returns what to write instead of a statement, None where a cause is not mended in one.

    Args:
        kind: the name of the rule of the stall's cause.
        source: the statement, of a compound one its head; "" where it is not known.
        callee: the function that it calls and that blocks; "" where it blocks itself.
        native: whether the loop computed in C code.
        locked: whether the loop was seen waiting for a lock.
        gil: whether the interpreter has one.
    """
    statement, call = _call(source, callee)
    if kind == "sync-wait-on-loop":
        return _of_wait(statement, call, locked=locked)
    if kind != "cpu-on-loop":
        return None
    if not gil or (native and call is not None and _root(call) in _RELEASING):
        why = "this Python has no GIL" if not gil else "this call gives the GIL up while it computes"
        return Fix(advice=f"Send it to a thread, which is enough here: {why}.", code=_in_thread(statement, call))
    arguments = _arguments(call) if call is not None else None
    if statement is None or call is None or arguments is None:
        advice = "Move what is computed here into a function of its own, and send it to a pool of processes."
        return Fix(advice=advice, code=_POOL.format(call="compute, ..."))
    code = _with(statement, call, f"await loop.run_in_executor(pool, {arguments})")
    return Fix(advice="Send it to a pool of processes.", code=f"{_START}{code}")


def _of_wait(statement: ast.stmt | None, call: ast.Call | None, *, locked: bool) -> Fix:
    if locked and isinstance(statement, ast.With) and len(statement.items) == 1:
        # no coroutine can hold it here, for the loop would never come back to that one: asyncio's lock is no cure
        advice = "Another thread holds the lock: wait for it in a thread, or hold it for a shorter time there."
        return Fix(advice=advice, code=_LOCK.format(lock=ast.unparse(statement.items[0].context_expr)))
    if statement is not None and call is not None and ast.unparse(call.func) in {"time.sleep", "sleep"}:
        length = ", ".join(map(ast.unparse, call.args))
        return Fix(advice="Sleep asynchronously.", code=_with(statement, call, f"await asyncio.sleep({length})"))
    advice = "Await an async version of the call, or send it to a thread: waiting needs no CPU."
    return Fix(advice=advice, code=_in_thread(statement, call))


def _in_thread(statement: ast.stmt | None, call: ast.Call | None) -> str:
    if statement is None or call is None:
        return "result = await asyncio.to_thread(work, ...)  # what blocks here, as a function of its own"
    simple = _arguments(call) is not None
    inside = ", ".join([ast.unparse(call.func), *_written(call)]) if simple else f"lambda: {ast.unparse(call)}"
    return _with(statement, call, f"await asyncio.to_thread({inside})")


def _call(source: str, callee: str) -> tuple[ast.stmt | None, ast.Call | None]:
    """Returns a statement and the call in it that blocks, None for each that is not found."""
    text = source.strip()
    try:
        (statement,) = ast.parse(f"{text} pass" if text.endswith(":") else text).body
    except (SyntaxError, ValueError):  # a part of a statement, or none, or several
        return None, None
    inside = list(ast.walk(statement))
    if any(isinstance(node, (ast.Yield, ast.YieldFrom, ast.comprehension, ast.Lambda)) for node in inside):
        return statement, None
    calls = [node for node in inside if isinstance(node, ast.Call)]
    if callee:
        name = callee.rpartition(".")[2]
        return statement, next((node for node in calls if ast.unparse(node.func).rpartition(".")[2] == name), None)
    awaited = {id(node.value) for node in inside if isinstance(node, ast.Await)}
    if not isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Return, ast.Expr)) or not calls:
        return statement, None
    alone = len(calls) == 1 or calls[0] is statement.value
    return statement, calls[0] if alone and id(calls[0]) not in awaited else None


def _with(statement: ast.stmt, call: ast.Call, text: str) -> str:
    """Writes a statement with another expression in place of a call."""
    (expression,) = ast.parse(text).body

    class Put(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            if node is call and isinstance(expression, ast.Expr):
                return expression.value
            return self.generic_visit(node)

    return ast.unparse(ast.fix_missing_locations(Put().visit(statement))).removesuffix("\n    pass")


def _written(call: ast.Call) -> list[str]:
    words = [
        f"{word.arg}={ast.unparse(word.value)}" if word.arg else f"**{ast.unparse(word.value)}"
        for word in call.keywords
    ]
    return [*map(ast.unparse, call.args), *words]


def _arguments(call: ast.Call) -> str | None:
    """Writes a call as the arguments of what calls it; None where a part of it would be called before."""
    inner = (call.func, *call.args, *(word.value for word in call.keywords))
    if any(isinstance(node, (ast.Call, ast.Await)) for item in inner for node in ast.walk(item)):
        return None
    written = ", ".join([ast.unparse(call.func), *_written(call)])
    return f"functools.partial({written})" if call.keywords else written


def _root(call: ast.Call) -> str:
    """Returns the name that a call begins with: ``hashlib`` of ``hashlib.sha256(data).hexdigest()``."""
    node: ast.AST = call
    while isinstance(node, (ast.Call, ast.Attribute)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
