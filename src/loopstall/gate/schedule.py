"""Which pair is measured when: every cell a few times, those that look worse again, those still open once more."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
import random

from loopstall.gate.criteria import LOOKS, Criteria
from loopstall.gate.evidence import PairedSample
from loopstall.gate.paired import suspicious, undecided
from loopstall.records import Cell, Pair

__all__ = ["measure"]


def measure(
    cells: Sequence[Cell],
    rules: Criteria,
    *,
    seed: int,
    pair: Callable[[Cell, int], Pair],
    out_of_time: Callable[[], bool],
    planned: Callable[[int], object] = lambda _: None,
) -> list[PairedSample]:
    """Measures a matrix in rounds, the cells in a seeded random order of its own in each.

    After the first failure of a cell its other pairs are not tried.

    Args:
        cells: the matrix.
        rules: the numbers of pairs that screen and confirm, and the thresholds.
        seed: of the order.
        pair: measures a cell's pair of a number.
        out_of_time: whether to stop.
        planned: told how many pairs are to come, whenever that becomes known.
    """
    chance = random.Random(seed)
    found = {cell: PairedSample(cell=cell) for cell in cells}

    def rounds(number: int, among: Iterable[Cell], add: Callable[[PairedSample, Pair], PairedSample]) -> None:
        chosen = list(among)
        if chosen:
            planned(number * len(chosen))
        for _ in range(number):
            chance.shuffle(chosen)
            for cell in tuple(chosen):
                if out_of_time():
                    return
                one = pair(cell, len(found[cell].heads))
                found[cell] = add(found[cell], one)
                if one.base.error is not None or one.head.error is not None:
                    chosen.remove(cell)

    rounds(rules.rounds, cells, lambda item, one: replace(item, screened=(*item.screened, one)))
    again = rules.confirming(len(cells))
    suspects = [cell for cell, item in found.items() if len(item.screened) == rules.rounds and suspicious(item, rules)]
    for _ in range(LOOKS):
        rounds(again, suspects, lambda item, one: replace(item, confirmed=(*item.confirmed, one)))
        suspects = [cell for cell in suspects if undecided(found[cell], rules, len(cells))]
    return list(found.values())
