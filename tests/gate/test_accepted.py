import datetime as dt

from helpers import cell
import pytest

from loopstall.errors import InputError
from loopstall.gate.accepted import Accepted, apply, parse
from loopstall.records import Frame, Verdict

TODAY = dt.date(2026, 11, 21)
ENTRY = {
    "what": "stall", "workload": "hashing", "budget": "80ms", "reason": "moves next quarter", "who": "ann",
    "until": dt.date(2026, 12, 31),
}  # fmt: skip


def stalled(amount=60e6, **extra):
    return Verdict(
        row="hashing[variant=big]", strategy="asyncio/inline", workload=cell().workload, verdict="regressed", kind="stall",
        rule="a trap", amount=amount, culprit=Frame(file="/srv/app.py", line=12, function="f"), **extra,
    )  # fmt: skip


def read(**changes):
    entry = {key: value for key, value in (ENTRY | changes).items() if value is not None}
    return parse({"accepted": [entry]}, "accepted.toml")


def test_accepted_stall_is_marked_with_reason_and_date():
    (item,) = apply([stalled()], read(), today=TODAY)
    assert item.accepted == "moves next quarter (ann, until 2026-12-31)"
    assert item.verdict == "regressed"


@pytest.mark.parametrize(
    "changes", [{"strategy": "asyncio/inline"}, {"where": "app.py:12"}, {"workload": "hashing[variant=big]"}]
)
def test_entry_that_says_more_still_covers_it(changes):
    assert apply([stalled()], read(**changes), today=TODAY)[0].accepted


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy": "uvloop/inline"},
        {"where": "app.py:13"},
        {"workload": "hash"},
        {"what": "regression", "budget": "0.1"},
    ],
)
def test_entry_of_something_else_does_not_cover_it(changes):
    assert not apply([stalled()], read(**changes), today=TODAY)[0].accepted


def test_grown_past_its_budget_it_fails_again_and_says_so():
    (item,) = apply([stalled(amount=90e6)], read(), today=TODAY)
    assert not item.accepted
    assert item.rule == "a trap; it was accepted up to 80.0 ms and is 90.0 ms"


def test_past_its_date_it_fails_again_and_says_so():
    (item,) = apply([stalled()], read(until="2026-11-20"), today=TODAY)
    assert not item.accepted
    assert "accepted until 2026-11-20, which has passed" in item.rule
    assert apply([stalled()], read(until="2026-11-21"), today=TODAY)[0].accepted


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": "  "}, "entry 1 has no reason"),
        ({"reason": None}, "entry 1 has no reason"),
        ({"who": None}, "has no who"),
        ({"until": "soon"}, "until = 'soon' is not a date; write for instance"),
        ({"until": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, "is not a date"),
        ({"until": 2026}, "is not a date"),
        ({"what": "slow"}, "what = 'slow' is neither 'stall' nor 'regression'"),
        ({"budget": "much"}, "budget: "),
        ({"reasn": "x"}, "unknown key 'reasn'; did you mean 'reason'"),
    ],
)
def test_wrong_entry_is_refused_in_a_sentence(changes, said):
    with pytest.raises(InputError, match=r"accepted\.toml, entry 1") as error:
        read(**changes)
    assert said in str(error.value)


def test_other_tables_are_refused():
    with pytest.raises(InputError, match="unknown key 'acepted'"):
        parse({"acepted": []}, "x")
    with pytest.raises(InputError, match=r"\[\[accepted\]\]"):
        parse({"accepted": "all"}, "x")
    assert isinstance(read()[0], Accepted)
