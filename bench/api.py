"""The page of the public interface, docs/api.md, from signatures and docstrings; `bench/schemas.py` writes it.

The source is read, not run, so that every Python writes the same page.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
import re

import loopstall

__all__ = ["api_page"]

PACKAGE = Path(loopstall.__file__).parent

FIXTURES = {"stalls": "recorder.Stalls", "loop_benchmark": "benchmark.LoopBenchmark"}
"""Fixtures of the pytest plugin, and the class of what each gives a test."""

HEAD = """# Public interface

Written by `nox -s schema` from signatures and docstrings. What is not named here may change in any version. The command
line and the files that it writes are in the other documents.
"""

_Defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def api_page() -> str:
    """Returns the page as Markdown."""
    parts = [HEAD, *_package()]
    for name in ("asgi", "integrations.logs", "integrations.otel", "metrics"):
        module = _parsed(f"loopstall.{name}")
        parts += [f"## `loopstall.{name}`\n", _prose(ast.get_docstring(module))]
        for one in _listed(module):
            parts += _entry(one, _found(module, one))
    parts.append("## Fixtures of the pytest plugin\n")
    plugin = _parsed("loopstall.pytest_plugin")
    for fixture, place in FIXTURES.items():
        name, _, kind = place.partition(".")
        parts += [f"### `{fixture}`\n", _prose(ast.get_docstring(_function(plugin, fixture)))]
        parts += _entry(kind, _found(_parsed(f"loopstall.pytest_plugin.{name}"), kind), level=4)
    return "\n".join(parts)


def _package() -> Iterator[str]:
    yield "## `loopstall`\n"
    for name in loopstall.__all__:
        if name == "watch":
            yield "### `watch`\n\nThe same as `Watch`: `with loopstall.watch() as stalls:` or `@loopstall.watch()`.\n"
        elif name != "__version__":
            yield from _entry(name, _where(loopstall._LAZY[name], name))  # noqa: SLF001  # the table of names


def _where(module: str, name: str) -> ast.stmt:
    """Returns the statement that defines a name, in the module or where the module has it from."""
    tree = _parsed(module)
    found = _find(tree, name)
    if found is not None:
        return found
    inside = (PACKAGE.parent / module.replace(".", "/")).rglob("*.py")
    return next(found for path in sorted(inside) if (found := _find(ast.parse(path.read_text("utf-8")), name)))


def _parsed(module: str) -> ast.Module:
    path = PACKAGE.parent / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def _listed(module: ast.Module) -> list[str]:
    """Returns what a module's ``__all__`` names."""
    value = _found(module, "__all__")
    assert isinstance(value, ast.Assign)  # every module has it so
    names: list[str] = ast.literal_eval(value.value)
    return names


def _find(module: ast.Module, name: str) -> ast.stmt | None:
    """Returns the last statement at a module's top that defines a name: behind the overloads."""
    found = None
    for item in module.body:
        if isinstance(item, _Defined) and item.name == name:
            found = item
        elif isinstance(item, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in item.targets):
            return item
    return found


def _found(module: ast.Module, name: str) -> ast.stmt:
    found = _find(module, name)
    if found is None:
        raise LookupError(name)
    return found


def _function(module: ast.Module, name: str) -> ast.FunctionDef:
    found = _found(module, name)
    assert isinstance(found, ast.FunctionDef)  # it is a fixture
    return found


def _entry(name: str, item: ast.stmt, *, level: int = 3) -> Iterator[str]:
    """Yields heading and text of a function, a class with its public members, or a constant."""
    head = "#" * level
    if isinstance(item, ast.Assign):
        yield f"{head} `{name} = {ast.unparse(item.value)}`\n"
    elif isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
        yield f"{head} `{_signature(item)}`\n"
        yield _prose(ast.get_docstring(item))
    elif isinstance(item, ast.ClassDef):
        made = next((one for one in item.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
        yield f"{head} `{_signature(made, name) if made is not None else name}`\n"
        yield _prose(ast.get_docstring(item))
        yield from _members(item)


def _members(item: ast.ClassDef) -> Iterator[str]:
    fields = [
        one for one in item.body if isinstance(one, ast.AnnAssign) and not ast.unparse(one.target).startswith("_")
    ]
    shown = [f"- `{ast.unparse(one)}`" for one in fields]
    for one in item.body:
        if not isinstance(one, ast.FunctionDef) or (one.name.startswith("_") and one.name != "__call__"):
            continue
        is_property = any(ast.unparse(mark) == "property" for mark in one.decorator_list)
        head = f"{one.name}: {ast.unparse(one.returns)}" if is_property and one.returns else _signature(one)
        about = _prose(ast.get_docstring(one)).strip().replace("\n", "\n  ").replace("\n  \n", "\n\n")
        shown.append(f"- `{head}`: {about}" if about else f"- `{head}`")
    if shown:
        yield "Members:\n\n" + "\n".join(shown) + "\n"


def _signature(item: ast.FunctionDef | ast.AsyncFunctionDef, name: str = "") -> str:
    """Writes a function's head without ``self``; that of a class where its name is given."""
    words = re.sub(r"^self(, |$)", "", ast.unparse(item.args)).removeprefix("/, ")
    before = "async " if isinstance(item, ast.AsyncFunctionDef) else ""
    after = f" -> {ast.unparse(item.returns)}" if item.returns is not None and not name else ""
    return f"{before}{name or item.name}({words}){after.replace(chr(39), '')}"


def _prose(docstring: str | None) -> str:
    """Turns a docstring into Markdown: its sections into lists, its examples left to the other documents."""
    text = (docstring or "").replace("``", "`")
    lines, section = [], ""
    for line in text.splitlines():
        if re.fullmatch(r"(Args|Returns|Raises|Example|Yields):", line):
            section = line[:-1]
            if section != "Example":
                lines.append(f"{section}:\n")
        elif section == "Example":
            continue
        elif section in {"Args", "Raises"} and (item := re.fullmatch(r"    (\w+): (.*)", line)):
            lines.append(f"- `{item[1]}`: {item[2]}")
        else:
            lines.append(line[4:] if section in {"Returns", "Yields"} else line[2:] if section and line else line)
    return "\n".join(lines).strip() + "\n"
