"""Amounts as people write them."""

import importlib

import click
import pytest

from loopstall.cli import entry
from loopstall.cli.options import types
from loopstall.records import units


@pytest.mark.parametrize(
    ("unit", "text", "seconds"),
    [
        (units.SECONDS, "20", 20.0),
        (units.SECONDS, "0.5", 0.5),
        (units.SECONDS, "50ms", 0.05),
        (units.MINUTES, "10", 600.0),
        (units.MINUTES, "90s", 90.0),
        (units.MINUTES, "1.5", 90.0),
        (units.DURATION, "20s", 20.0),
    ],
)
def test_bare_number_is_of_what_an_option_is_named_after(unit, text, seconds):
    assert unit.parse(text) == pytest.approx(seconds)


def test_bare_number_of_an_unnamed_unit_is_refused():
    with pytest.raises(ValueError, match="'20' is not a duration; write for instance 50ms"):
        units.DURATION.parse("20")


def options():
    for name, (module, _) in entry._COMMANDS.items():
        command = importlib.import_module(module).command
        nested = command.commands.values() if isinstance(command, click.Group) else (command,)
        for found in nested:
            yield from ((name, option) for option in found.params if isinstance(option, click.Option))


def test_every_option_named_after_a_unit_takes_a_bare_number_of_it():
    named = {"seconds": types.SECONDS, "minutes": types.MINUTES, "time_limit": types.SECONDS}
    checked = 0
    for command, option in options():
        for word, kind in named.items():
            if option.name.endswith(word):
                assert option.type is kind, f"loopstall {command} --{option.name}"
                checked += 1
    assert checked >= 7
