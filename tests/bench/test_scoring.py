import json
from pathlib import Path
import subprocess
import sys

import pytest
import scoring
import tables

ROOT = Path(__file__).resolve().parents[2]
MS = 1_000_000


def report(ms, cause="blocking-call", place="waiting.py:1", **more):
    return {"ns": ms * MS, "at_ns": 0, "places": [place] if place else [], "cause": cause, **more}


def record(ms, *reports, kind="time.sleep", run="quiet", took=None, cpu_ms=0, delay_ms=0, told=False, **truth):
    true = {
        "cause": "blocking-call", "group": "waiting", "in_loop": True, "known_length": True,
        "places": ["waiting.py:1"], "thread": "", "share": 1.0,
    }  # fmt: skip
    return {
        "run": run, "kind": kind, "ms": ms, "ns": (ms if took is None else took) * MS, "cpu_ns": cpu_ms * MS,
        "delay_ns": delay_ms * MS, "refused": "", "told": told, "reports": list(reports), "truth": {**true, **truth},
    }  # fmt: skip


def held(ms, *reports, **truth):
    true = {"cause": "gil-wait", "group": "gil", "in_loop": False, "places": ["native.py:2"], "thread": "hog"}
    return record(ms, *reports, kind="GIL, sum", **{**true, **truth})


def figures(*records, **more):
    return scoring.Scores(records, 5.0, **more).figures()


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (96, 100, 0.9016, 0.9843)],
)
def test_interval_of_a_share_is_wilsons(hits, of, low, high):
    assert scoring.wilson(hits, of) == pytest.approx((low, high), abs=1e-4)


def test_share_stands_with_its_count_and_interval_and_none_is_a_dash():
    assert scoring.share([True, False]) == "50.0% (1/2) [9.5%, 90.5%]"
    assert scoring.share([]) == "-"


def test_report_of_an_injection_is_the_longest_of_half_its_length_and_more():
    short, fit, longest = report(9), report(11), report(20)
    assert scoring.matched(record(20, short, fit, longest)) is longest
    assert scoring.matched(record(20, short)) is None
    assert scoring.matched(record(20, short, known_length=False)) is short
    assert scoring.matched(record(20, report(0)))["ns"] == 0


def test_report_of_another_stall_just_before_or_after_is_none_of_the_injection():
    stall = record(20)
    stall["begun_ns"] = 100 * MS
    before, own, after = ({**report(ms), "at_ns": at * MS} for ms, at in ((40, 99), (20, 121), (30, 155)))
    for reports, found in (([before, own, after], own), ([before], None), ([before, after], after)):
        assert scoring.matched({**stall, "reports": reports}) is found


def test_line_is_that_of_the_loop_or_of_the_holder():
    right = report(20, "gil-wait", "other.py:1", holder_places=["native.py:2"], holder_thread="hog")
    wrong = {**right, "holder_thread": "pool"}
    said = figures(record(20, report(20)), record(20, report(20, place="x.py:1")), held(20, right), held(20, wrong))
    assert said["right line, in the loop"].startswith("50.0% (1/2)")
    assert said["right line, who held the GIL"].startswith("100.0% (2/2)")
    assert said["right line and thread, who held it"].startswith("50.0% (1/2)")


def test_recall_counts_stalls_by_their_real_length():
    found = figures(
        record(20, report(20)), record(20), record(5.2, report(5)), record(5.2, took=4.8), record(2, report(3))
    )
    assert found["recall, 2x threshold and more"].startswith("50.0% (1/2)")
    assert found["recall at the threshold"].startswith("100.0% (1/1)")
    assert found["reported though below it"].startswith("100.0% (1/1)")


def test_stalls_without_a_stack_are_counted_by_length():
    stalls = [record(5.2, report(5, place="", stack=False)), record(5.2, report(5, stack=True)), record(20, report(20))]
    said = figures(*stalls)
    assert said["without a stack, 5.2 ms"].startswith("50.0% (1/2)")
    assert said["without a stack, 20 ms"].startswith("0.0% (0/1)")


def test_plain_python_that_is_called_native_is_counted_apart():
    python = {"cause": "cpu-python", "group": "python"}
    said = figures(
        record(20, report(20, "cpu-native"), **python), record(20, report(20, "cpu-python"), **python),
        record(20, report(20, "cpu-python"), cause="cpu-native", group="native"),
    )  # fmt: skip
    assert said["plain Python called cpu-native"].startswith("50.0% (1/2)")
    assert said["right cause, long C calls"].startswith("0.0% (0/1)")
    assert said["right cause, quiet"].startswith("33.3% (1/3)")


def test_detector_that_says_cpu_is_right_for_either_kind_of_it():
    said = figures(record(20, report(20, "cpu"), cause="cpu-native"), record(20, report(20, "cpu")))
    assert said["right cause, quiet"].startswith("50.0% (1/2)")


def test_stall_from_which_the_machine_took_the_cpu_is_no_quiet_one():
    said = figures(record(20, report(20)), record(20, report(20, "descheduled"), delay_ms=8))
    assert said["left out, disturbed by the machine"].startswith("50.0% (1/2)")
    assert said["right cause, quiet"].startswith("100.0% (1/1)")


def test_wait_in_which_the_thread_computed_is_none():
    said = figures(record(20, report(20), cpu_ms=5), record(20, report(20, "cpu-python"), cpu_ms=6))
    assert said["left out, disturbed by the machine"].startswith("50.0% (1/2)")
    assert said["right cause, quiet"].startswith("100.0% (1/1)")


def test_busy_machine_counts_what_the_program_itself_took():
    truth = {"run": "busy", "cause": "cpu-python", "group": "python"}
    own = record(20, report(45, "cpu-python"), took=40, cpu_ms=20, **truth)
    others = record(2, report(40, "descheduled"), took=40, cpu_ms=2, **truth)
    said = figures(own, others)
    assert said["right cause, busy"].startswith("100.0% (1/1)")
    assert said["length error, busy, median / p95 ms"] == "5.00 / 5.00"


def test_share_of_a_turn_is_that_of_the_looks_that_met_the_longest():
    glimpses = ["waiting.py:1", "waiting.py:1", "python.py:1", "python.py:1"]
    said = figures(record(20, report(20, glimpses=glimpses), group="turn", share=0.6))
    assert said["its share off by, median"] == "10.0%"
    assert said["right line, longest of a turn"].startswith("100.0% (1/1)")


def test_wait_that_a_signal_has_ended_is_counted():
    assert figures(record(20, took=4), record(20, report(20)))["waits cut short"].startswith("50.0% (1/2)")


def test_first_stalls_and_hangs_have_figures_of_their_own():
    said = figures(
        record(10, report(10, "cpu-native"), run="cold", cause="cpu-python", group="python"),
        record(3000, run="hang"), record(3000, run="hang", told=True),
    )  # fmt: skip
    assert said["first stalls, right cause"].startswith("0.0% (0/1)")
    assert said["first stalls, Python called cpu-native"].startswith("100.0% (1/1)")
    assert said["told while it lasts"].startswith("no, 50.0% (1/2)")


def test_run_without_stalls_counts_what_was_reported_and_what_was_not_put_down_to_the_machine():
    said = figures(
        {"run": "clean", "seconds": 60.0, "reports": []},
        {"run": "noise", "seconds": 60.0, "reports": [report(9, "descheduled"), report(6, "cpu-python")]},
    )
    assert said["false reports on a clean run"] == "0 in 60 s"
    assert said["reported under noise"] == "2 in 60 s descheduled 1, cpu-python 1"
    assert said["blamed on the program under noise"] == "1 in 60 s"


def test_what_another_thread_computes_is_no_stall_without_a_gil():
    said = figures(record(20, report(20)), held(20, report(20, "blocking-call")), has_gil=False)
    assert said["recall, 2x threshold and more"].startswith("100.0% (1/1)")
    assert said["reported beside a busy thread"].startswith("100.0% (1/1)")


def test_kinds_stand_with_what_was_told_of_each():
    (line,) = tables.by_kind([record(20, report(20)), record(20, report(20, "unknown")), record(20)])
    assert line.split()[:4] == ["time.sleep", "2/3", "2/2", "50.0%"]
    assert line.endswith("blocking-call 1, unknown 1")


def test_kept_records_are_scored_anew_without_measuring(tmp_path):
    kept = {
        "detector": "pyleak", "version": "0.2", "loop": "asyncio", "thread": True, "has_gil": True, "python": "3.13.0",
        "threshold_ms": 5.0, "records": [record(20, report(20))], "costs": [["sleep(0), throughput", "1.010"]],
    }  # fmt: skip
    (tmp_path / "raw.json").write_text(json.dumps([kept]))
    words = [sys.executable, ROOT / "bench" / "detectors.py", "--from", tmp_path / "raw.json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "\npyleak 0.2 on asyncio in another thread, Python 3.13.0\n" in done.stdout
    assert "  right cause, quiet                       100.0% (1/1) " in done.stdout
    assert "  sleep(0), throughput                     1.010\n" in done.stdout
