"""Says what kind of failure an exception of a run is, in a sentence.

It hands on a ``RunError`` for the result. Our own failures name their kind, others are told by their class. Text is the
last resort, for failures that have no class of their own: an object that refuses to be pickled, and what Python refuses
in an interpreter of its own. It knows no loop and measures nothing.
"""

from collections.abc import Callable
from concurrent.futures import BrokenExecutor
import pickle
import re
import sys
import traceback

from loopstall.dispatch import interpreters
from loopstall.errors import InputError, RunFailureError
from loopstall.records import RunError

__all__ = ["explain"]

_DETAIL_CHARS = 4_000  # the end of a traceback, which says what went wrong


def explain(failure: BaseException, *, dispatch: str) -> RunError:
    """Returns the record of a failure.

    Args:
        failure: what the run raised; the first one of a group counts.
        dispatch: how the run's jobs left the loop.
    """
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    text = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
    detail = "".join(traceback.format_exception(failure))[-_DETAIL_CHARS:]
    if dispatch == interpreters.DISPATCH.name and (refused := _REFUSED.search(text)):
        sentence = f"the workload cannot run in an interpreter of its own ({refused[0].strip()}); choose processes"
        return RunError(kind="dispatch", message=sentence, detail=detail)
    if isinstance(failure, RunFailureError):
        return RunError(kind=failure.kind, message=str(failure), detail=detail)
    for kind, matches, sentence in _KINDS:
        if matches(failure):
            return RunError(kind=kind, message=sentence.format(text=text, failure=failure), detail=detail)
    return RunError(kind="raised", message=f"a job raised {text}", detail=detail)


def _cannot_travel(failure: BaseException) -> bool:
    """Says whether arguments or a result could not be sent to another process or interpreter.

    pickle has a class for it, and so have interpreters and Celery, which are asked only where they are loaded. But an
    object that refuses to be pickled raises ``TypeError`` or ``AttributeError``, and Dask a ``TypeError`` of its own:
    these have nothing but their text.
    """
    if isinstance(failure, (pickle.PicklingError, *_loaded("_interpreters", "NotShareableError"))):
        return True
    if isinstance(failure, _loaded("kombu.exceptions", "EncodeError")):
        return True
    return isinstance(failure, (TypeError, AttributeError)) and _UNPICKLABLE.search(str(failure)) is not None


def _loaded(module: str, name: str) -> tuple[type[BaseException], ...]:
    """Returns an exception class of a module that is loaded already, none where it is not."""
    found = getattr(sys.modules.get(module), name, None)
    return (found,) if found is not None else ()


_REFUSED = re.compile(r"[^:;\n]*(?:\bsub|\(sub\))interpreters?\b")  # what Python says of modules, forks and threads
_UNPICKLABLE = re.compile(
    r"\bcan(?:not|'t) (?:be )?pickle|^can't get local (?:object|attribute)|could not serialize", re.IGNORECASE
)
_Matcher = Callable[[BaseException], bool]
_KINDS: tuple[tuple[str, _Matcher, str], ...] = (
    ("input", lambda e: isinstance(e, InputError), "{failure}"),
    ("out-of-memory", lambda e: isinstance(e, MemoryError), "a job ran out of memory ({text})"),
    ("exited", lambda e: isinstance(e, SystemExit), "a job ended the interpreter ({text})"),
    ("interrupted", lambda e: isinstance(e, KeyboardInterrupt), "a job raised {text}"),
    (
        "worker-died",
        lambda e: isinstance(e, BrokenExecutor),
        "a worker of the pool died in the middle of a job (a crash, os._exit or the out-of-memory killer)",
    ),
    (
        "unpicklable",
        _cannot_travel,
        "a job's arguments or result cannot travel to another process or interpreter ({text})",
    ),
)
