"""The two sides of a gate, as its options have them."""

from collections.abc import Callable, Mapping
from pathlib import Path
import sys
from typing import Any

import click

from loopstall.runner.checkout import Checkout
from loopstall.runner.proof import differences
from loopstall.runner.side import Side, Sides, by_interpreter, facing

__all__ = ["sides_of"]


def sides_of(options: Mapping[str, Any], say: Callable[[str], object]) -> Sides:
    """Returns baseline and candidate.

    Args:
        options: the command's.
        say: told what is being built.

    Raises:
        InputError: a side cannot be had.
        InconclusiveError: a revision and the working tree hold the same files.
    """
    explicit = [(options[f"{name}_path"], options[f"{name}_python"]) for name in ("baseline", "candidate")]
    if not any(path or python for path, python in explicit):
        return Checkout.find(Path.cwd(), say).sides(options["baseline"])
    if options["baseline"] is not None:
        raise click.UsageError("--baseline REV and --baseline-path or --baseline-python cannot be used together")
    sides: list[Side] = []
    for name, (path, python) in zip(("baseline", "candidate"), explicit, strict=True):
        if not (path or python):
            raise click.UsageError(f"the {name} is missing: say --{name}-path or --{name}-python as for the other side")
        label = " with ".join(str(part) for part in (path, python) if part)
        program = str(python or sys.executable)
        sides.append(Side.of_folder(label, path, program) if path else Side(name=label, python=program))
    (base, _), (head, _) = explicit
    if base is None or head is None:
        return by_interpreter(sides[0], sides[1])
    return facing(sides[0], sides[1], changed=differences(base, head))
