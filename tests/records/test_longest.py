"""The longest of what comes along."""

from hypothesis import given
from hypothesis import strategies as st

from loopstall.records.longest import Longest


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_longest_are_kept_and_come_longest_first_then_in_the_order_of_coming(lengths, kept):
    longest = Longest(kept)
    for number, length in enumerate(lengths):
        longest.add(length, (length, number))
    last_come = sorted(((length, number) for number, length in enumerate(lengths)), reverse=True)[:kept]
    assert list(longest) == sorted(last_come, key=lambda item: (-item[0], item[1]))
    assert len(longest) == min(kept, len(lengths))


def test_items_need_not_be_comparable():
    longest = Longest(2)
    for item in ({"a": 1}, {"b": 2}, {"c": 3}):
        longest.add(7, item)
    assert list(longest) == [{"b": 2}, {"c": 3}]
