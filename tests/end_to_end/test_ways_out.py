"""The ways out keep what the theory promises, and their own traps show: orderings of real measurements, never times."""

import json
import statistics

from helpers import import_or_skip, loopstall
import pytest

from loopstall.analysis.contrasts import CONTRASTS
from loopstall.results import store

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.once]

HEAVY = ("-p", "variant=pure-python", "-p", "bytes=40000")
TRAPS = sorted(set(CONTRASTS) - {"http_download"})
"""Each with its finding; that of downloads has a test of its own."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """The 99th percentiles that light requests waited, medians of three runs, by scenario."""
    pytest.importorskip("gunicorn")
    pytest.importorskip("flask")
    folder = tmp_path_factory.mktemp("servers")
    scenarios = ("streams/inline", "streams/processes", "gunicorn-1", "gunicorn-2")
    words = ("--work", "hashing", *HEAVY, "--heavy", "8%", "--seconds", "1.2s", "--processes", 3)
    done = loopstall("serve-bench", *scenarios, *words, "-o", "out", cwd=folder, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    waited = {}
    for run in store.load([folder / "out"]).runs:
        waited.setdefault(str(run.cell.strategy), []).append(run.measured)
    return waited


def p99(servers, scenario):
    return statistics.median(measured.lag.p99_ns for measured in servers[scenario])


def test_light_requests_wait_for_heavy_ones_inline_and_not_in_processes(servers):
    assert p99(servers, "streams/inline") > 2 * p99(servers, "streams/processes")
    assert p99(servers, "gunicorn-1/inline") > 2 * p99(servers, "streams/processes")


def test_more_workers_move_the_limit(servers):
    available = {name: statistics.median(one.availability for one in runs) for name, runs in servers.items()}
    assert available["gunicorn-2/inline"] > available["gunicorn-1/inline"]


def test_stalls_within_a_server_carry_their_route(servers):
    labels = {stall.label for measured in servers["streams/inline"] for stall in measured.stalls}
    assert "GET /heavy" in labels


@pytest.fixture(scope="module")
def traps(tmp_path_factory):
    """The report of all traps inside the ways out, each beside its cure."""
    folder = tmp_path_factory.mktemp("traps")
    words = ("-s", "async", "-s", "inline", "--concurrency", 4, "--seconds", "0.2s", "--processes", 3)
    done = loopstall("run", *TRAPS, *words, "-o", "out", cwd=folder, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    told = loopstall("report", "out", "--format", "json", cwd=folder)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.mark.parametrize("name", TRAPS)
def test_each_trap_inside_a_way_out_is_a_finding(traps, name):
    found = [item for item in traps["findings"] if item["rule"] == CONTRASTS[name].rule]
    assert found, [item["rule"] for item in traps["findings"]]


def test_semaphore_of_one_is_as_slow_as_one_after_the_other_and_ten_are_faster(tmp_path):
    pytest.importorskip("aiohttp")
    pytest.importorskip("httpx")
    words = ("-p", "client=aiohttp", "-p", "how=sequential,gather", "-p", "wait=0.01", "--concurrency", 1)
    done = loopstall("run", "http_download", *words, "-s", "async", "--processes", 3, "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {}
    for run in store.load([tmp_path / "out"]).runs:
        params = dict(run.cell.params)
        found.setdefault((params["how"], params["limit"]), []).append(run.measured.service.p50_ns)
    took = {key: statistics.median(values) for key, values in found.items()}
    assert 0.6 < took["gather", 1] / took["sequential", 1] < 1.7
    assert took["gather", 10] < took["gather", 1] / 2


@pytest.mark.parametrize("loop", ["trio", "curio"])
def test_loop_of_another_kind_has_the_trap_and_a_thread_as_its_way_out(tmp_path, loop):
    import_or_skip(loop)
    words = ("-p", "seconds=0.02", "-s", loop, "-s", f"{loop}/to_thread", "--processes", 3)
    done = loopstall("run", "blocking_sleep", *words, "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    stalled = {}
    for run in store.load([tmp_path / "out"]).runs:
        stalled.setdefault(run.cell.strategy.dispatch, []).append(run.measured.longest_stall_ns)
    assert statistics.median(stalled["inline"]) > 2 * statistics.median(stalled["to_thread"])
    refused = loopstall("run", "blocking_sleep", "-s", f"{loop}/processes", cwd=tmp_path)
    assert refused.returncode == 2
    assert f"{loop} has inline, to_thread" in refused.stderr
