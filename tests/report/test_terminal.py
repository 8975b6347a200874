import io

from helpers import cell, failed, measured, run
import pytest
from rich.console import Console

from loopstall.analysis.summary import Budget, summarise
from loopstall.records import Skipped
from loopstall.report.terminal import results


def shown(renderable, width):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(renderable)
    return console.file.getvalue()


def summaries(*runs):
    return [summarise(one.cell, [one], Budget()) for one in runs]


@pytest.mark.parametrize("width", [72, 80, 112, 200])
def test_every_figure_fits_the_terminal(width):
    runs = (run(figures=measured(stalls_ms=[60])), failed(cell(dispatch="threads")))
    skipped = [Skipped(cell=cell(dispatch="async"), reason="no twin")]
    text = shown(results(summaries(*runs), skipped, width=width), width)
    for part in ("TRAP", "100", "60.0 ms", "n/a", "no twin", "✗"):
        assert part in text, part
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [80, 200])
def test_names_cannot_write_to_the_terminal(width):
    text = shown(results(summaries(run(cell("\x1b[2J[bold]x"))), [], width=width), width)
    assert "\x1b[2J" not in text
    assert "\\x1b[2J" in text.replace("\n", "")
