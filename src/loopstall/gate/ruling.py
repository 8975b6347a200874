"""Rulings of rules, and the order in which rules are asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Ruling", "decide"]

_Case = TypeVar("_Case")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The verdict on a cell.

    Args:
        verdict: ``ok``, ``regressed``, ``improved``, ``inconclusive`` or ``failed``.
        rule: the rule that decided, in a sentence with the measured values.
        kind: of a regression, whether it is a ``stall`` or a ``regression`` in time; "" otherwise.
    """

    verdict: str
    rule: str
    kind: str = ""


def decide(case: _Case, rules: Sequence[Callable[[_Case], Ruling | None]]) -> Ruling:
    """Returns the ruling of the first rule that applies to a case.

    Args:
        case: the case to decide.
        rules: in the order of their precedence; the last one applies to every case.
    """
    return next(ruling for rule in rules if (ruling := rule(case)) is not None)
