"""The order of pairs: every cell a few times, then from look to look those that are not decided, the worst first."""

from collections.abc import Callable, Sequence
from dataclasses import replace
import random

from loopstall.gate.certainty import undecided, urgency
from loopstall.gate.criteria import Criteria
from loopstall.gate.evidence import PairedSample
from loopstall.records import Cell, Pair

__all__ = ["measure"]


def measure(
    cells: Sequence[Cell],
    rules: Criteria,
    *,
    seed: int,
    pair: Callable[[Cell, int], Pair],
    out_of_time: Callable[[Cell], bool],
    planned: Callable[[int], object] = lambda _: None,
) -> list[PairedSample]:
    """Screens a matrix in rounds, the cells in a seeded random order of its own in each, and measures on what is open.

    What looks worst comes first, each cell until it is decided, so that a regression is certain before the time is over
    with those that only may be one. After the first failure of a cell its other pairs are not tried.

    Args:
        cells: the matrix.
        rules: when the pairs are looked at, and the thresholds.
        seed: of the order.
        pair: measures a cell's pair of a number.
        out_of_time: whether there is no time for another pair of a cell.
        planned: told how many pairs are to come, whenever that becomes known.
    """
    course = _Course(cells, rules, random.Random(seed), pair, out_of_time)
    first, *later = rules.looks(len(cells))
    planned(first.pairs * len(cells))
    suspects = course.open(course.complete(cells, first.pairs))
    if suspects:
        planned((later[0].pairs - first.pairs) * len(suspects))
    for suspect in sorted(suspects, key=lambda cell: urgency(course.found[cell], rules)):
        still = [suspect]
        for look in later:
            if not still:
                break
            if look is not later[0]:
                planned(look.pairs - len(course.found[suspect].pairs))
            still = course.open(course.complete(still, look.pairs))
    return list(course.found.values())


class _Course:
    """The pairs of a matrix so far, ``found``, and how to get more of them."""

    def __init__(
        self,
        cells: Sequence[Cell],
        rules: Criteria,
        chance: random.Random,
        pair: Callable[[Cell, int], Pair],
        out_of_time: Callable[[Cell], bool],
    ) -> None:
        self.found = {cell: PairedSample(cell=cell) for cell in cells}
        self._rules = rules
        self._chance = chance
        self._pair = pair
        self._out_of_time = out_of_time

    def complete(self, cells: Sequence[Cell], wanted: int) -> list[Cell]:
        """Measures cells that have equally many pairs until they have so many; returns those of which all went well."""
        chosen = list(cells)
        for index in range(len(self.found[chosen[0]].pairs) if chosen else wanted, wanted):
            self._chance.shuffle(chosen)
            for cell in tuple(chosen):
                if self._out_of_time(cell):
                    chosen.remove(cell)
                    continue
                one = self._pair(cell, index)
                self.found[cell] = replace(self.found[cell], pairs=(*self.found[cell].pairs, one))
                if one.base.error is not None or one.head.error is not None:
                    chosen.remove(cell)
        return chosen

    def open(self, cells: Sequence[Cell]) -> list[Cell]:
        """Returns those cells that are not decided."""
        return [cell for cell in cells if undecided(self.found[cell], self._rules, len(self.found))]
