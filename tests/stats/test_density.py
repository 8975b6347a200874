import sys

import pytest

from loopstall.errors import InputError
from loopstall.stats.density import density

pytest.importorskip("scipy")


def test_density_of_two_groups_has_a_peak_at_each_and_a_valley_between():
    values = [1.0, 1.1, 0.9, 1.0, 5.0, 5.1, 4.9, 5.0]
    left, valley, right = density(values, [1.0, 3.0, 5.0])
    assert left == pytest.approx(1.0)
    assert right == pytest.approx(1.0)
    assert valley < 0.8


def test_density_by_scotts_rule_is_that_of_the_formula():
    values = [0.0, 1.0, 2.0, 3.0]  # variance 5/3, so the bandwidth is sqrt(5/3) * 4 ** -(1/5) = 0.9784
    centre, end = density(values, [1.5, 0.0])
    assert centre == pytest.approx(1.0)
    assert end == pytest.approx(0.7275, abs=0.0005)


@pytest.mark.parametrize("values", [[], [1.0, 2.0, 3.0], [2.0] * 9])
def test_too_few_values_or_one_value_have_no_curve(values):
    assert density(values, [1.0, 2.0]) == []


def test_places_far_from_all_values_have_no_curve():
    assert density([1.0, 2.0, 3.0, 4.0], [1e9, 2e9]) == []


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(InputError, match=r"^comparing needs numpy and scipy: pip install 'loopstall\[stats\]'$"):
        density([1.0, 2.0, 3.0, 4.0], [1.0])
