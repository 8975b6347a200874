"""The dispatch of an async version is called async; what says native is still read."""

import json

from helpers import cell, loopstall, plan, run, write_workloads
import pytest

from loopstall import workload
from loopstall.gate import accepted
from loopstall.records import Advice, Estimate, Profile, Strategy, Verdict, Way
from loopstall.records.cells import dispatch_named, strategy_shown
from loopstall.results import store
from loopstall.results.advice_file import read, to_json
from loopstall.runner import matrix, protocol


def test_strategy_has_the_newer_word_whichever_it_is_made_with():
    strategy = matrix.parse_strategy("uvloop/native")
    assert (str(strategy), strategy.dispatch) == ("uvloop/async", "async")
    assert (
        matrix.parse_strategy("native") == matrix.parse_strategy("async") == Strategy(loop="asyncio", dispatch="native")
    )


def test_results_of_older_versions_are_read_and_completed_with_the_newer_word(tmp_path):
    target = store.Store(tmp_path / "out")
    target.begin(plan(cell(dispatch="async")))
    target.save(run(cell(dispatch="async")))
    for path in (tmp_path / "out").rglob("*.json"):
        path.write_text(path.read_text().replace('"dispatch":"async"', '"dispatch":"native"'))
    found = store.load([tmp_path / "out"])
    assert found.plan == plan(cell(dispatch="async"))
    assert [one.cell for one in found.runs] == list(found.plan.cells)


def test_measuring_process_of_an_older_version_is_asked_in_its_word_and_answers_in_either(tmp_path):
    request = protocol.Request(cell=cell(dispatch="async"), seed=1, threshold_ns=1, memory_limit_bytes=0)
    protocol.write(request, tmp_path / "request.json")
    assert json.loads((tmp_path / "request.json").read_text())["cell"]["strategy"]["dispatch"] == "native"
    assert protocol.read_request(tmp_path / "request.json") == request


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

    async def version(seed):
        return seed

    with pytest.warns(DeprecationWarning, match="since loopstall 0.1: write async_version") as warned:
        assert job.native(requires=["json"])(version) is job
    assert warned[0].filename == __file__
    assert (job.async_function.__name__, job.async_requires) == ("version", ("json",))
    with pytest.warns(DeprecationWarning, match="write dispatches"):
        assert workload(dispatches=["native"])(lambda seed: seed).dispatches == ("async",)
    assert dispatch_named("native") == dispatch_named("async") == "async"


def test_missing_function_with_the_older_word_still_decides_and_warns():
    @workload
    def job(seed):
        return seed

    @job.missing
    def _missing(dispatch):
        return None if dispatch == "native" else "the older word"

    with pytest.warns(DeprecationWarning, match="compare with 'async'"):
        assert job.why_not("async", {}) is None
    assert job.why_not("threads", {}) == "the older word"

    job.missing(lambda dispatch: None if dispatch in {"async", "threads"} and dispatch != "inline" else "the newer")
    assert job.why_not("async", {}) is None
    assert job.why_not("inline", {}) == "the newer"


def test_strategy_with_the_older_word_is_taken_with_a_sentence(tmp_path):
    write_workloads(tmp_path, "@workload\ndef mine(seed): return seed\n\nmine.verify(ok)\n")
    done = loopstall("run", "mine.py", "-s", "inline", "-s", "native", "--jobs", 2, "--processes", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "native is called async since version 0.1" in done.stderr
