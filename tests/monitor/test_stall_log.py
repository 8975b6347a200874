from loopstall.monitor.stall_log import StallLog
from loopstall.records import Frame, Stall


def stall(number, line=1):
    return Stall(start_ns=number, duration_ns=1000 + number, culprit=Frame(file="a.py", line=line, function="f"))


def test_longest_are_kept_in_the_order_of_time_and_all_are_counted():
    stall_log = StallLog(3)
    for number in (5, 1, 9, 7, 3):
        stall_log.add(stall(number))
    assert [entry.start_ns for entry in stall_log] == [5, 7, 9]
    assert (len(stall_log), stall_log.count, stall_log.dropped, stall_log.total_ns) == (3, 5, 2, 5025)
    assert stall_log.by_culprit == {"a.py:1 in f": 5}
    assert stall_log.ns_by_culprit == {"a.py:1 in f": 5025}


def test_culprits_are_bounded_and_none_is_lost():
    stall_log = StallLog(1)
    for number in range(3000):
        stall_log.add(stall(number, line=number))
    assert len(stall_log.by_culprit) == 1001
    assert stall_log.by_culprit["others"] == 2000
    assert stall_log.by_culprit.total() == 3000


def test_stall_without_a_culprit_is_counted_as_unknown():
    stall_log = StallLog(1)
    stall_log.add(Stall(start_ns=0, duration_ns=1))
    assert stall_log.by_culprit == {"unknown": 1}
