"""The dispatch of an async version is called async; what says native is still read."""

import json

import pytest

from loopstall import workload
from loopstall.gate import accepted
from loopstall.records import Advice, Estimate, Profile, Strategy, Verdict, Way
from loopstall.records.cells import dispatch_named, strategy_shown
from loopstall.results import store
from loopstall.results.advice_file import read, to_json
from loopstall.runner import matrix


def test_strategy_is_shown_as_async_and_keeps_its_name_for_older_versions():
    strategy = matrix.parse_strategy("uvloop/async")
    assert (str(strategy), strategy.way, strategy.dispatch) == ("uvloop/async", "async", "native")
    assert (
        matrix.parse_strategy("native") == matrix.parse_strategy("async") == Strategy(loop="asyncio", dispatch="native")
    )


@pytest.mark.parametrize(
    ("older", "shown"),
    [("asyncio/native", "asyncio/async"), ("asyncio/async", "asyncio/async"), ("trio/inline", "trio/inline"), ("", "")],
)
def test_strategies_of_older_files_are_shown_in_the_newer_word(older, shown):
    assert strategy_shown(older) == shown


def test_verdicts_and_advice_of_older_files_are_read(tmp_path):
    verdict = Verdict(row="files", strategy="asyncio/native", verdict="ok", rule="as before")
    (tmp_path / "verdicts.json").write_text(store.verdicts_text([verdict]))
    assert [item.strategy for item in store.read_verdicts(tmp_path)] == ["asyncio/async"]
    one = Estimate(value=1.0, low=1.0, high=1.0, confidence=0.9, runs=3)
    profile = Profile(
        calls=3, first_ns=1, duration=one, cpu_share=1.0, process_cpu_ns=1, gil_share=1.0, sent_bytes=1,
        returned_bytes=1, pickling_ns=1, memory_bytes=1,
    )  # fmt: skip
    advice = Advice(
        target="files", load="", profile=profile, ways=(Way(strategy="asyncio/native"),), choice="native", reason="a"
    )
    (tmp_path / "advice.json").write_text(to_json(advice))
    found = read(tmp_path / "advice.json")
    assert (found.choice, found.ways[0].strategy) == ("async", "asyncio/async")


def test_accepted_entry_with_the_older_word_covers_its_cell(tmp_path):
    entry = {"what": "regression", "workload": "files", "strategy": "asyncio/native", "budget": "20%", "reason": "known",
             "who": "ann", "until": "2999-01-01"}  # fmt: skip
    path = tmp_path / "loopstall-accepted.toml"
    path.write_text("[[accepted]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in entry.items()))
    assert [item.strategy for item in accepted.read(path, required=True)] == ["asyncio/async"]


def test_older_names_of_a_workload_still_work():
    @workload
    def job(seed):
        return seed

    @job.native(requires=["json"])
    async def version(seed):
        return seed

    assert version is job
    assert (job.async_function.__name__, job.async_requires) == ("version", ("json",))
    assert (
        workload(dispatches=["native"])(lambda seed: seed).dispatches
        == workload(dispatches=["async"])(lambda seed: seed).dispatches
    )
    assert dispatch_named("async") == "native"
