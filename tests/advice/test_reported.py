"""What is said of a reported culprit before it is measured: what the rules advise for its main cause."""

import pytest

from loopstall.advice.reported import ReportedCulprit, told
from loopstall.analysis.rules import rule_of
from loopstall.records import Frame
from loopstall.report.stall_document import CulpritReport

MS = 1_000_000


@pytest.mark.parametrize("gil", [True, False])
@pytest.mark.parametrize("cause", ["blocking-call", "cpu-python", "gil-wait", "gc", "descheduled", "unknown"])
def test_advice_is_that_of_the_main_cause_on_the_python_that_stalled(cause, gil):
    frame = Frame(file="app.py", line=3, function="main")
    report = CulpritReport(
        frame=frame, count=2, total_ns=30 * MS, longest_ns=20 * MS, causes={"other": 10 * MS, cause: 20 * MS}, places={}
    )
    text = told(ReportedCulprit(frame=frame, report=report, rate=0.5, gil=gil, target=None))
    assert text.startswith("app.py:3 in main: 2 stalls, 0.5 a second, longest 20.0 ms, 30.0 ms in all ")
    assert text.endswith(f"({cause} 20.0 ms, other 10.0 ms). {rule_of(cause, gil=gil).advice}")
