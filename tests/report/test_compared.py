import io
import re

from helpers import cell, failed, measured, run
import pytest
from rich.console import Console

from loopstall.analysis.compare import compare, figures_of
from loopstall.gate.criteria import Criteria
from loopstall.gate.unpaired import judge_apart
from loopstall.report import output
from loopstall.report.compared import comparisons_shown, verdicts_shown

pytestmark = pytest.mark.once

LONG = cell("a_workload_of_a_long_name", loop="uvloop", dispatch="to_thread", params=(("variant", "pure-python"),))


def side(wall_ms, where=LONG, *, runs=5, stalls_ms=()):
    return figures_of(
        [run(where, index=n, figures=measured(wall_ms=wall_ms + n, stalls_ms=stalls_ms)) for n in range(runs)]
    )


def shown(renderable, width=80):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(renderable)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    return [line.rstrip() for line in text.splitlines()]


@pytest.mark.parametrize("colours", ["", "1"])
def test_no_line_on_a_terminal_ends_in_blanks(monkeypatch, colours):
    monkeypatch.setenv("FORCE_COLOR", colours)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    kept = io.StringIO()
    console = output.console(kept, width=80)
    console.print(verdicts_shown(judge_apart(side(100), side(150, stalls_ms=[60]), Criteria(), 0.1), []))
    console.print(comparisons_shown(compare(side(100), side(300))))
    lines = kept.getvalue().splitlines()
    assert ("\x1b[" in kept.getvalue()) is bool(colours)
    shown = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines]
    assert [line for line in shown if line != line.rstrip()] == []
    assert any("a trap that the baseline does not have" in line for line in shown)


def test_comparison_is_a_line_a_metric_with_whole_words_at_80_columns():
    lines = shown(comparisons_shown(compare(side(100), side(300, stalls_ms=[60]))))
    assert lines[0].strip() == LONG.row + " · uvloop/to_thread"
    assert lines[1].split() == ["base", "head", "change", "verdict"]
    time, cpu, available = (line.split() for line in lines[2:5])
    assert time[:3] == ["time", "per", "job"]
    assert time[-1] == "regressed"
    assert cpu[-1] == "ok"
    assert available[:2] == ["loop", "availability"]
    assert available[-1] == "regressed"
    assert len(lines) == 5


def test_what_has_no_change_has_its_reason():
    lines = shown(comparisons_shown(compare(side(100), figures_of([failed(LONG)]))))
    assert [line.strip() for line in lines[1:]] == ["failed: a job raised ValueError: no"]
    lines = shown(comparisons_shown(compare([], side(100))))
    assert [line.strip() for line in lines[1:]] == ["added: not in base"]


def test_verdict_is_a_line_with_whole_words_at_80_columns_and_then_its_reason():
    lines = shown(verdicts_shown(judge_apart(side(100), side(150, stalls_ms=[60]), Criteria(), 0.1), []))
    assert lines[0] == f"{LONG.row} · uvloop/to_thread"
    assert lines[1].split() == ["time", "per", "job", "CPU", "availability"]
    assert lines[2].split()[:2] == ["regressed", "+49.0%"]
    assert lines[2].endswith(" pp")
    assert lines[3].startswith("regressed: a_workload")


def test_cells_that_are_inconclusive_for_one_reason_are_told_together():
    cells = [cell(f"work{number}") for number in range(24)]
    few = [item for where in cells for item in side(100, where, runs=2)]
    lines = shown(verdicts_shown(judge_apart(few, few, Criteria(), 0.1), []), 200)
    reasons = [line for line in lines if "an interval needs 4" in line]
    assert [line.strip() for line in reasons] == [
        "2 runs against 2, and an interval needs 4 on each side; measured apart"
    ]
    assert "inconclusive: 24 cells" in lines
    assert len(lines) == 24 * 2 + 1 + 2
