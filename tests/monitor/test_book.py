from loopstall.monitor.stall_log import Book
from loopstall.records import Frame, Stall


def stall(number, line=1):
    return Stall(start_ns=number, duration_ns=1000 + number, culprit=Frame(file="a.py", line=line, function="f"))


def test_longest_are_kept_in_the_order_of_time_and_all_are_counted():
    book = Book(3)
    for number in (5, 1, 9, 7, 3):
        book.add(stall(number))
    assert [entry.start_ns for entry in book] == [5, 7, 9]
    assert (len(book), book.count, book.dropped, book.total_ns) == (3, 5, 2, 5025)
    assert book.by_culprit == {"a.py:1 in f": 5}
    assert book.ns_by_culprit == {"a.py:1 in f": 5025}


def test_culprits_are_bounded_and_none_is_lost():
    book = Book(1)
    for number in range(3000):
        book.add(stall(number, line=number))
    assert len(book.by_culprit) == 1001
    assert book.by_culprit["others"] == 2000
    assert book.by_culprit.total() == 3000


def test_stall_without_a_culprit_is_counted_as_unknown():
    book = Book(1)
    book.add(Stall(start_ns=0, duration_ns=1))
    assert book.by_culprit == {"unknown": 1}
