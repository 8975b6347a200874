"""Whoever held the GIL has a name, also when that thread has ended meanwhile."""

import threading

from loopstall.monitor.outside.thread_names import ThreadNames


def brief(names, *, noted):
    """A thread that has ended, noted while it ran or not; its number."""
    begun, go_on = threading.Event(), threading.Event()

    def run():
        begun.set()
        go_on.wait()

    thread = threading.Thread(target=run, name="brief")
    thread.start()
    begun.wait()
    if noted:
        assert names.look() == []
    go_on.set()
    thread.join()
    return thread.native_id


def test_thread_that_has_ended_since_it_was_noted_has_a_name_once():
    names = ThreadNames()
    number = brief(names, noted=True)
    assert names.take({number, -1}) == {number: "brief"}
    assert names.take({number}) == {}


def test_thread_that_runs_needs_no_note_and_one_that_has_ended_without_it_no_name():
    names = ThreadNames()
    here = threading.current_thread()
    assert names.take({here.native_id}) == {here.native_id: here.name}
    assert names.take({brief(names, noted=False)}) == {}
    assert names.take(set()) == {}


def test_names_are_missing_where_nobody_keeps_the_threads(monkeypatch):
    monkeypatch.delattr(threading, "_dangling")
    names = ThreadNames()
    assert names.look() == []
    assert names.take({threading.get_native_id()}) == {}
