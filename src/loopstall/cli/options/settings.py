"""``[tool.loopstall]`` of the nearest pyproject.toml, as defaults of options."""

from collections.abc import Sequence
from pathlib import Path
import tomllib
from typing import Any

import click

from loopstall.cli.options.helped import HelpedCommand
from loopstall.errors import InputError, did_you_mean

__all__ = ["SettingsCommand", "by_workload", "defaults"]

_BUDGET = {"stall": "budget", "availability": "availability"}
_TABLES = ("gate", "workload")
_OF_A_WORKLOAD = ("effect", "stall", "availability")


class SettingsCommand(HelpedCommand):
    """A command that reads its defaults from pyproject.toml.

    Args:
        words: as click has them, and so are the other options.
        table: of the command's own settings, as ``defaults`` has it.
        left_out: options that can be no setting.
    """

    def __init__(self, *words: Any, table: str = "", left_out: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*words, **options)
        self._table = table
        self._left_out = left_out

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Makes the context, with the settings as its defaults."""
        options = {param.name for param in self.params if param.name}.difference(self._left_out)
        extra["default_map"] = defaults(Path.cwd(), options, table=self._table)
        return super().make_context(*args, **extra)


def defaults(start: Path, options: set[str], *, table: str = "") -> dict[str, Any]:
    """Returns the settings as option names and values.

    Args:
        start: the folder from which pyproject.toml is looked for, upwards.
        options: the names that an option of the command has.
        table: of the command's own settings within ``[tool.loopstall]``, which go before those that it shares with
            ``run``; "" for ``run`` itself.

    Raises:
        InputError: the file cannot be read, or names a setting that there is not.
    """
    path, settings = _settings(start)
    shared = {key: value for key, value in settings.items() if key not in _TABLES}
    if not table:
        return _flatten(path, shared, options, "[tool.loopstall]")
    taken = {key: value for key, value in shared.items() if key == "budget" or key.replace("-", "_") in options}
    own = settings.get(table, {})
    if not isinstance(own, dict):
        raise InputError(f"{path}: tool.loopstall.{table} is not a table")
    heading = f"[tool.loopstall.{table}]"
    return _flatten(path, taken, options, heading) | _flatten(path, own, options, heading)


def by_workload(start: Path) -> dict[str, dict[str, str]]:
    """Returns what ``[tool.loopstall.workload.NAME]`` says: ``effect``, ``stall``, ``availability``, by name.

    Raises:
        InputError: the file cannot be read, or names a setting that there is not.
    """
    path, settings = _settings(start)
    tables = settings.get("workload", {})
    found: dict[str, dict[str, str]] = {}
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if not isinstance(table, dict):
            raise InputError(f"{path}: tool.loopstall.workload.{name} is not a table")
        for key in table:
            if key not in _OF_A_WORKLOAD:
                hint = did_you_mean(key, _OF_A_WORKLOAD)
                raise InputError(f"{path}: unknown setting {key!r} in [tool.loopstall.workload.{name}]; {hint}")
        found[name] = {key: str(value) for key, value in table.items()}
    return found


def _settings(start: Path) -> tuple[Path, dict[str, Any]]:
    """Returns the nearest pyproject.toml and its table, an empty one where there is none."""
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            return path, _table(path)
    return start / "pyproject.toml", {}


def _table(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("loopstall", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if not isinstance(table, dict):
        raise InputError(f"{path}: [tool.loopstall] is not a table")
    return table


def _flatten(path: Path, table: dict[str, Any], options: set[str], heading: str) -> dict[str, Any]:
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
            raise InputError(f"{path}: unknown setting {key!r} in {heading}; {did_you_mean(key, known)}")
        flat[name] = value
    return flat
