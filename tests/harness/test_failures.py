"""What kind of failure an exception of a run is called."""

from concurrent.futures import BrokenExecutor
from concurrent.futures.process import BrokenProcessPool
from concurrent.futures.thread import BrokenThreadPool
import pickle
import sys
import threading
import types

import pytest

from loopstall.dispatch import DispatchError
from loopstall.errors import InputError, RunFailureError
from loopstall.harness.failures import explain
from loopstall.harness.load import NoJobError, WrongResultError
from loopstall.harness.server import ServerError

REFUSED = "module msgspec._core does not support loading in subinterpreters"


def kind(failure, dispatch="processes"):
    return explain(failure, dispatch=dispatch).kind


def raised_by(function, *arguments):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        function(*arguments)
    return caught.value


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (WrongResultError("2 is not 3"), "wrong-result"),
        (DispatchError("no broker"), "dispatch"),
        (ServerError("it did not start"), "server"),
        (NoJobError("none was due"), "no-job"),
        (InputError("no such file"), "input"),
    ],
)
def test_own_failures_name_their_kind_and_speak_for_themselves(failure, expected):
    found = explain(failure, dispatch="inline")
    assert found.kind == expected
    assert found.message == str(failure)
    assert type(failure).__name__ in found.detail


def test_every_run_failure_names_a_kind_of_its_own():
    subclasses = RunFailureError.__subclasses__()
    assert {item.__name__ for item in subclasses} == {
        "WrongResultError", "DispatchError", "ServerError", "NoJobError"
    }  # fmt: skip
    assert len({item.kind for item in subclasses}) == len(subclasses)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (MemoryError(), "out-of-memory"),
        (SystemExit(3), "exited"),
        (KeyboardInterrupt(), "interrupted"),
        (BrokenProcessPool("ended abruptly"), "worker-died"),
        (BrokenThreadPool("its initializer failed"), "worker-died"),
        (LookupError("no such luck"), "raised"),
    ],
)
def test_others_are_told_by_their_class(failure, expected):
    assert kind(failure) == expected
    assert kind(ExceptionGroup("two", [failure, OSError()]) if isinstance(failure, Exception) else failure) == expected


@pytest.mark.parametrize("failure", [BrokenPipeError(32, "Broken pipe"), threading.BrokenBarrierError()])
def test_what_only_begins_like_a_broken_pool_is_the_jobs_own(failure):
    assert not isinstance(failure, BrokenExecutor)
    assert kind(failure) == "raised"


def test_what_pickle_itself_refuses_cannot_travel():
    def local():
        return None

    for refused in (threading.Lock(), (n for n in ()), local, lambda: None, sys):
        assert kind(raised_by(pickle.dumps, refused)) == "unpicklable", refused


@pytest.mark.parametrize(
    "failure",
    [
        TypeError("cannot pickle '_thread.lock' object"),
        AttributeError("Can't pickle local object 'work.<locals>.inner'"),
        AttributeError("Can't get local object 'work.<locals>.inner'"),
        TypeError("h5py objects cannot be pickled"),
        TypeError("Could not serialize object of type generator", "<generator>"),
    ],
)
def test_refusals_that_have_nothing_but_their_text_cannot_travel_either(failure):
    found = explain(failure, dispatch="processes")
    assert found.kind == "unpicklable"
    assert "cannot travel to another process or interpreter" in found.message


@pytest.mark.parametrize(
    "failure",
    [
        ValueError("no pickle left in the jar"),
        TypeError("a pickle is no number"),
        KeyError("pickle"),
        RuntimeError("cannot pickle cucumbers today"),
        type("PickleJarError", (Exception,), {})("empty"),
    ],
)
def test_word_pickle_alone_makes_no_failure_unpicklable(failure):
    found = explain(failure, dispatch="processes")
    assert found.kind == "raised"
    assert found.message == f"a job raised {type(failure).__name__}: {failure}"


@pytest.mark.parametrize(
    ("module", "name"), [("kombu.exceptions", "EncodeError"), ("_interpreters", "NotShareableError")]
)
def test_classes_of_other_libraries_count_where_they_are_loaded(monkeypatch, module, name):
    refusal = type(name, (Exception,), {})
    monkeypatch.delitem(sys.modules, module, raising=False)
    assert kind(refusal("the object")) == "raised"
    stand_in = types.ModuleType(module)
    setattr(stand_in, name, refusal)
    monkeypatch.setitem(sys.modules, module, stand_in)
    assert kind(refusal("the object")) == "unpicklable"


def test_what_python_refuses_an_interpreter_is_told_of_that_dispatch_alone():
    found = explain(ImportError(REFUSED), dispatch="interpreters")
    assert (found.kind, found.message) == (
        "dispatch",
        f"the workload cannot run in an interpreter of its own ({REFUSED}); choose processes",
    )
    assert explain(InputError(f"cannot load mine.py: {REFUSED}"), dispatch="interpreters").kind == "dispatch"
    assert kind(ImportError(REFUSED), dispatch="threads") == "raised"
