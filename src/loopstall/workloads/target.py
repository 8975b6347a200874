"""The function that advice is asked for: named by the user, found again in every process."""

from collections.abc import Callable
import importlib
import inspect
import json
import os
from pathlib import Path
import sys
from typing import Any

from loopstall.errors import InputError, did_you_mean

__all__ = ["Given", "arguments", "load", "make_importable", "module_and_folder"]

Given = tuple[list[Any], dict[str, Any]]
"""Positional and named arguments."""


def module_and_folder(target: str) -> tuple[str, str, Path]:
    """Splits ``module:function`` or ``path.py:function``.

    Returns:
        The module's dotted name, the function's name in it, and the folder to import it from.

    Raises:
        InputError: it is neither.
    """
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise InputError(f"{target!r} names no function; write module:function or path/file.py:function")
    if not (place.endswith(".py") or "/" in place or "\\" in place):
        return place, name, Path.cwd()
    file = Path(place).resolve()
    if not file.is_file():
        raise InputError(f"there is no file {place}; check the path")
    parts = [file.stem]
    folder = file.parent
    while (folder / "__init__.py").is_file():  # a module of a package is imported by its whole name
        parts.append(folder.name)
        folder = folder.parent
    return ".".join(reversed(parts)), name, folder


def make_importable(folder: Path) -> None:
    """Makes this process and those that it starts import from a folder first."""
    text = str(folder)
    if text not in sys.path:
        sys.path.insert(0, text)
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if text not in known:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [text, *known]))


def load(target: str) -> Callable[..., Any]:
    """Imports a function.

    Raises:
        InputError: it cannot be imported, is none, or is one that only makes a coroutine or a generator.
    """
    module_name, name, folder = module_and_folder(target)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        found: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise InputError(f"cannot import {module_name} for {target}: {type(error).__name__}: {error}") from error
    owner = found
    for part in name.split("."):
        owner, found = found, getattr(found, part, None)
        if found is None:
            known = [word for word, value in vars(owner).items() if callable(value) and not word.startswith("__")]
            raise InputError(f"{module_name} has no function {name!r}; {did_you_mean(part, known)}")
    if not callable(found):
        raise InputError(f"{target} is no function but a {type(found).__name__}; name one that does the work")
    if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        raise InputError(
            f"{target} is async and runs on the loop wherever it is awaited; name the function it calls that computes"
        )
    if inspect.isgeneratorfunction(found):
        raise InputError(f"{target} only makes a generator; name the function that goes through it")
    result: Callable[..., Any] = found
    return result


def arguments(given: str) -> Given:
    """Returns the arguments that a text stands for.

    Args:
        given: a JSON list of positional or object of named ones; or ``@module:function``, which returns a list,
            tuple or dictionary of them: for what JSON cannot say.

    Raises:
        InputError: it is neither.
    """
    if given.startswith("@"):
        made = load(given[1:])()
        origin = given[1:]
    else:
        try:
            made = json.loads(given)
        except ValueError as error:
            raise InputError(f"--args {given!r} is not JSON ({error}); write '[1, \"a\"]' or '{{\"n\": 1}}'") from error
        origin = "--args"
    if isinstance(made, dict):
        return [], made
    if isinstance(made, list | tuple):
        return list(made), {}
    raise InputError(f"{origin} is a {type(made).__name__}; give a list of positional or an object of named arguments")
