"""Stalls that belong together, and the line that they are put down to."""

from loopstall.analysis.blocked import of_stalls
from loopstall.records import Frame, Stall

MINE = Frame(file="/srv/app.py", line=49, function="handler")
OURS = Frame(file="/venv/lib/python3.12/site-packages/loopstall/monitor/probes/epoll.py", line=4, function="select")
MS = 1_000_000


def stall(frame, *, ms=10, **extra):
    return Stall(start_ns=0, duration_ns=ms * MS, cause="gil-wait", culprit=frame, **extra)


def test_line_of_a_library_is_never_the_one_to_blame():
    seen = of_stalls([stall(OURS, ms=90), stall(MINE)])
    assert (seen.frame, seen.count, seen.total_ns) == (MINE, 2, 100 * MS)
    assert of_stalls([stall(OURS)]).frame is None
    assert of_stalls([stall(OURS, holder=MINE)]).frame == MINE
