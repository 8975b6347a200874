import itertools
import math
import random

import pytest
from scipy import stats

from loopstall.stats.sequential import shares_of_alpha, student_p


@pytest.mark.parametrize("count", [2, 3, 4, 5, 8, 9, 20, 33, 56])
@pytest.mark.parametrize("shift", [-1.0, 0.0, 0.3, 5.0])
def test_p_is_that_of_scipys_t_test(count, shift):
    chance = random.Random(count)
    values = [shift + chance.gauss(0, 1) for _ in range(count)]
    for margin in (0.0, 0.5):
        wanted = stats.ttest_1samp(values, margin, alternative="greater").pvalue
        assert student_p(values, margin=margin) == pytest.approx(wanted, abs=1e-12)


def test_one_pair_decides_nothing_and_equal_ones_by_their_sign():
    assert (student_p([]), student_p([9.0])) == (1, 1)
    assert (student_p([1.0, 1.0]), student_p([0.0, 0.0]), student_p([-1.0, -1.0])) == (0, 1, 1)


def test_spread_that_is_small_by_chance_is_not_believed():
    close = [0.0101, 0.01, 0.0099, 0.01]
    assert student_p(close) < 1e-5
    assert student_p(close, least_spread=0.02) == pytest.approx(stats.t.sf(1, 3))


@pytest.mark.parametrize("fractions", [(1.0,), (0.5, 1.0), (4 / 36, 8 / 36, 20 / 36, 1.0)])
def test_looks_spend_all_of_alpha_and_each_a_part(fractions):
    shares = shares_of_alpha(fractions)
    assert math.fsum(shares) == pytest.approx(1)
    assert all(share > 0 for share in shares)
    assert list(itertools.accumulate(shares)) == pytest.approx(fractions)
