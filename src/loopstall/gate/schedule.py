"""Which pair is measured when: every cell a few times, and on from look to look those that are not decided."""

from collections.abc import Callable, Sequence
from dataclasses import replace
import random

from loopstall.gate.certainty import undecided
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
    """Measures a matrix in rounds, the cells in a seeded random order of its own in each.

    After the first failure of a cell its other pairs are not tried.

    Args:
        cells: the matrix.
        rules: when the pairs are looked at, and the thresholds.
        seed: of the order.
        pair: measures a cell's pair of a number.
        out_of_time: whether there is no time for another pair of a cell.
        planned: told how many pairs are to come, whenever that becomes known.
    """
    chance = random.Random(seed)
    found = {cell: PairedSample(cell=cell) for cell in cells}
    chosen, done = list(cells), 0
    for look in rules.looks(len(cells)):
        if chosen:
            planned((look.pairs - done) * len(chosen))
        for index in range(done, look.pairs):
            chance.shuffle(chosen)
            for cell in tuple(chosen):
                if out_of_time(cell):
                    chosen.remove(cell)
                    continue
                one = pair(cell, index)
                found[cell] = replace(found[cell], pairs=(*found[cell].pairs, one))
                if one.base.error is not None or one.head.error is not None:
                    chosen.remove(cell)
        done = look.pairs
        chosen = [cell for cell in chosen if undecided(found[cell], rules, len(cells))]
    return list(found.values())
