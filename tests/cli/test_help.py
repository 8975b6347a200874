"""Help: the common path first, options in groups, examples that the command line takes."""

import importlib
import shlex

import click
from helpers import loopstall
import pytest

from loopstall.cli.entry import _COMMANDS, _FIRST


def commands():
    """Every command by its words, those of a group apart."""
    for name, (module, _) in _COMMANDS.items():
        command = importlib.import_module(module).command
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in command.commands.items())
        else:
            yield name, command


COMMANDS = dict(commands())


def test_common_path_comes_first():
    done = loopstall("--help", cwd=".")
    assert done.returncode == 0
    shown = [
        line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ") and line.split()[0] in _COMMANDS
    ]
    assert shown == list(_COMMANDS)
    assert list(_FIRST) == ["watch", "pytest", "gate", "advise", "run"]


def test_without_a_command_the_help_is_shown_in_lines():
    done = loopstall(cwd=".")
    assert done.returncode == 2
    assert "\n  watch " in done.stdout + done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_two_examples_are_what_the_command_takes(name):
    command = COMMANDS[name]
    assert len(command.examples) >= 2
    for line, text in command.examples:
        assert text.endswith(".")
        assert len(line) <= 78
        if name == "pytest":
            assert line.startswith("pytest --stall-")
            continue
        words = shlex.split(line)
        assert words[: 1 + len(name.split())] == ["loopstall", *name.split()]
        command.make_parser(click.Context(command, **command.context_settings)).parse_args(
            words[1 + len(name.split()) :]
        )


@pytest.mark.parametrize("name", COMMANDS)
def test_groups_name_options_that_there_are(name):
    command = COMMANDS[name]
    options = {item.name for item in command.params if isinstance(item, click.Option)}
    grouped = [option for names in command.groups.values() for option in names]
    assert set(grouped) <= options
    assert len(grouped) == len(set(grouped))
    assert not grouped or len(options - set(grouped)) <= 2


def test_help_has_every_option_of_the_gate_once_under_its_group():
    done = loopstall("gate", "--help", cwd=".")
    assert "\nTwo sides:\n" in done.stdout
    assert "\nHow to decide:\n" in done.stdout
    for option in ("--baseline REV", "--effect", "--memory-limit", "--open"):
        assert sum(line.startswith(f"  {option} ") for line in done.stdout.splitlines()) == 1


def test_pytest_is_a_signpost_and_runs_nothing():
    assert "pytest --stall-budget 50ms" in loopstall("pytest", cwd=".").stdout
    done = loopstall("pytest", "-x", "tests", cwd=".")
    assert (done.returncode, done.stdout) == (2, "")
    assert "call pytest itself" in done.stderr
