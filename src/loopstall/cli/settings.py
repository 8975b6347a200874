"""``[tool.loopstall]`` of the nearest pyproject.toml, as defaults of options."""

from pathlib import Path
import tomllib
from typing import Any

from loopstall.errors import InputError, did_you_mean

__all__ = ["defaults"]

_BUDGET = {"stall": "budget", "availability": "availability"}


def defaults(start: Path, options: set[str]) -> dict[str, Any]:
    """Returns the settings as option names and values.

    Args:
        start: the folder from which pyproject.toml is looked for, upwards.
        options: the names that an option has.

    Raises:
        InputError: the file cannot be read, or names a setting that there is not.
    """
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            return _flatten(path, _table(path), options)
    return {}


def _table(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("loopstall", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if not isinstance(table, dict):
        raise InputError(f"{path}: [tool.loopstall] is not a table")
    return table


def _flatten(path: Path, table: dict[str, Any], options: set[str]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if key == "budget" and isinstance(value, dict):
            for part, limit in value.items():
                if part not in _BUDGET:
                    raise InputError(f"{path}: unknown setting budget.{part}; {did_you_mean(part, _BUDGET)}")
                flat[_BUDGET[part]] = str(limit)
            continue
        name = key.replace("-", "_")
        if name not in options:
            known = [option.replace("_", "-") for option in options]
            raise InputError(f"{path}: unknown setting {key!r} in [tool.loopstall]; {did_you_mean(key, known)}")
        flat[name] = value
    return flat
