"""Source code as it is now, for pages: the statement at a line, and the coroutine that has to change."""

import ast
from collections.abc import Sequence
from functools import cache
import linecache
from pathlib import Path

from loopstall.records import Frame
from loopstall.records.frames import is_users

__all__ = ["place_to_change", "statement_at"]

_LONGEST = 400  # characters of a statement
_BIGGEST = 2_000_000  # characters of a file


def place_to_change(stack: Sequence[Frame], frame: Frame) -> tuple[Frame, str]:
    """Returns where the call has to leave the loop, and which function is called there.

    Args:
        stack: innermost frame first.
        frame: the line that blocked.

    Returns:
        The innermost line of an ``async def`` of the user's that led to it and the function called there, or the line
        itself and "" where it stands in one or none is known.
    """
    inner = ""
    at = stack.index(frame) if frame in stack else 0
    for one in stack[at:]:
        if is_users(one.file):
            if _in_coroutine(one):
                return one, inner
            inner = one.function
    return frame, ""


def statement_at(frame: Frame) -> str:
    """Returns the statement at a line, of a compound one its head; "" where the source is not there."""
    found: ast.stmt | None = None
    for node in _nodes(frame.file):
        if isinstance(node, ast.stmt) and node.lineno <= frame.line <= (node.end_lineno or node.lineno):
            found = node  # the innermost one comes last
    if found is None:
        return ""
    body = getattr(found, "body", None)
    last = body[0].lineno - 1 if body else found.end_lineno or found.lineno
    lines = linecache.getlines(frame.file)[found.lineno - 1 : max(last, found.lineno)]
    text = "\n".join([lines[0].strip(), *(line.rstrip() for line in lines[1:])]) if lines else ""
    return text if len(text) <= _LONGEST else ""


def _in_coroutine(frame: Frame) -> bool:
    found: ast.AST | None = None
    for node in _nodes(frame.file):
        scope = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if scope and node.lineno <= frame.line <= (node.end_lineno or node.lineno):
            found = node
    return isinstance(found, ast.AsyncFunctionDef)


@cache
def _nodes(file: str) -> tuple[ast.stmt | ast.expr, ...]:
    """Returns what a Python file consists of, the outer before the inner; nothing where it cannot be read."""
    if not file.endswith(".py") or not Path(file).is_file():
        return ()
    text = "".join(linecache.getlines(file))
    try:
        tree = ast.parse(text) if len(text) <= _BIGGEST else ast.Module(body=[], type_ignores=[])
    except (SyntaxError, ValueError, RecursionError):
        return ()
    return tuple(node for node in ast.walk(tree) if isinstance(node, (ast.stmt, ast.Lambda)))
