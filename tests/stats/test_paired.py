import itertools
import math

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scipy import stats

from loopstall.stats.paired import fewest_pairs, hodges_lehmann, holm, signed_rank_p

figures = st.lists(st.floats(-1e3, 1e3, allow_nan=False).filter(lambda x: abs(x) > 1e-9), min_size=1, max_size=14)
distinct = figures.filter(lambda values: len({abs(v) for v in values}) == len(values))
units = st.integers(-10, 10).map(lambda exponent: 2.0**exponent)  # exact: no two figures become equal by rounding


@given(distinct)
def test_p_is_that_of_scipys_exact_test(values):
    wanted = stats.wilcoxon(values, alternative="greater", method="exact").pvalue
    assert signed_rank_p(values) == pytest.approx(wanted)


@given(distinct, units)
def test_p_does_not_depend_on_the_unit(values, factor):
    assert signed_rank_p(values) == signed_rank_p([value * factor for value in values])


@given(distinct)
def test_p_of_both_directions_covers_every_outcome(values):
    assert signed_rank_p(values) + signed_rank_p([-value for value in values]) > 1


@given(st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0]), min_size=1, max_size=10))
def test_ties_and_zeros_make_no_finding_more_certain(values):
    """Breaking the ties in whatever way gives a p that is at most this one only by an order in its favour."""
    nudged = [value or -1e-6 for value in values]
    nudged = [value * (1 + 1e-9 * number) for number, value in enumerate(nudged)]
    assert signed_rank_p(values) >= stats.wilcoxon(nudged, alternative="greater", method="exact").pvalue - 1e-12


def test_nothing_is_certain_without_pairs():
    assert signed_rank_p([]) == 1
    assert signed_rank_p([0.0] * 20) == 1


@pytest.mark.parametrize(("tests", "alpha"), list(itertools.product((1, 30, 90, 500), (0.05, 0.01, 0.001))))
def test_fewer_pairs_than_the_rule_needs_decide_nothing(tests, alpha):
    needed = fewest_pairs(tests, alpha)
    family = [signed_rank_p([1.0 + n for n in range(needed - 1)])] + [1.0] * (tests - 1)
    assert holm(family)[0] > alpha
    family[0] = signed_rank_p([1.0 + n for n in range(needed)])
    assert holm(family)[0] <= alpha


@given(figures, units)
def test_centre_scales_with_the_differences(values, factor):
    one, other = hodges_lehmann(values), hodges_lehmann([value * factor for value in values])
    for name in ("value", "low", "high"):
        assert getattr(other, name) == pytest.approx(getattr(one, name) * factor)


@given(figures)
def test_swapped_sides_have_the_opposite_centre(values):
    one, other = hodges_lehmann(values), hodges_lehmann([-value for value in values])
    assert other.value == pytest.approx(-one.value)
    assert (other.low, other.high) == (pytest.approx(-one.high), pytest.approx(-one.low))
    assert one.low <= one.value <= one.high


@pytest.mark.parametrize("n", range(1, 25))
def test_interval_has_the_confidence_that_it_says(n):
    found = hodges_lehmann([float(2**k) for k in range(n)])
    assert found.confidence >= 0.95 or n < 6
    assert found.confidence <= 1 - 2 / 2**n + 1e-12


def test_interval_is_the_set_of_centres_that_the_test_accepts():
    values = [0.3, -0.1, 1.2, 0.8, 0.5, 0.9, -0.4, 1.7, 0.2, 0.65]
    found = hodges_lehmann(values)
    level = (1 - found.confidence) / 2
    inside, outside = found.low + 1e-9, found.low - 1e-9
    assert signed_rank_p([value - inside for value in values]) > level
    assert signed_rank_p([value - outside for value in values]) <= level + 1e-12


def test_no_pair_is_no_estimate():
    with pytest.raises(ValueError, match=r"^an estimate needs at least one pair$"):
        hodges_lehmann([])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_order_and_never_makes_a_p_smaller(p_values):
    corrected = holm(p_values)
    assert all(c >= p or math.isclose(c, p) for c, p in zip(corrected, p_values, strict=True))
    assert all(c <= 1 for c in corrected)
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [corrected[i] for i in order] == sorted(corrected)


def test_holm_of_a_known_family():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_positive_differences_take_the_lowest_ranks_of_their_size_in_whatever_order():
    assert signed_rank_p([1.0, -1.0]) == signed_rank_p([-1.0, 1.0]) == 0.75


def walsh(values):
    return sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2))


def test_ten_pairs_leave_the_eight_outermost_means_out_on_each_side():
    values = [2.0**n for n in range(10)]
    estimate = hodges_lehmann(values)  # the critical value of the two-sided test at 5% is 8 for ten pairs
    assert (estimate.low, estimate.high) == (walsh(values)[8], walsh(values)[-9])
    assert estimate.confidence == pytest.approx(0.9512, abs=1e-4)
    assert estimate == hodges_lehmann(values, confidence=0.95)


@pytest.mark.parametrize(
    ("values", "wanted", "left_out", "had"),
    [((1.0, 3.0), 0.0, 0, 0.5), ((1.0, 2.0, 4.0, 8.0), 0.0, 4, 0.125), ((1.0, 2.0, 4.0, 8.0), 0.75, 1, 0.75)],
)
def test_interval_is_the_narrowest_that_has_the_confidence_wanted(values, wanted, left_out, had):
    estimate = hodges_lehmann(values, confidence=wanted)
    assert (estimate.low, estimate.high) == (walsh(values)[left_out], walsh(values)[-1 - left_out])
    assert estimate.confidence == had
