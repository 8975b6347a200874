"""``loopstall watch --pid --inject``: a process that runs already watches its own loops, and reports their stalls."""

from collections.abc import Callable, Mapping
from pathlib import Path
import tempfile
import time
from typing import Any, Protocol

from loopstall.errors import InconclusiveError, Terminated
from loopstall.instrument.attended import Account, attached
from loopstall.instrument.child import LOOPED
from loopstall.instrument.inbox import Inbox
from loopstall.instrument.injection import Injection, check
from loopstall.instrument.outside import OutsideHelper
from loopstall.monitor.outside.attached import Attached
from loopstall.monitor.outside.link import VARIABLE
from loopstall.records.clock import NS_PER_S, now_ns
from loopstall.report.dump_text import children_told
from loopstall.report.escape import printable
from loopstall.report.stall_document import Session

__all__ = ["attend_within"]

_TICK_S = 0.1
_SEARCH_S = 1.0  # between two searches for loops
_PATIENCE_S = 3.0  # until it is said that the process has not begun


class LastingAccount(Account, Protocol):
    """An account that also takes what comes when all is over."""

    def take_last(self) -> None:
        """Takes the rest."""


def attend_within(
    pid: int, options: Mapping[str, Any], account_of: Callable[[Inbox, OutsideHelper], LastingAccount]
) -> tuple[LastingAccount, Session, int]:
    """Has a process watch itself until it ends, the time is over, or somebody ends the command.

    Args:
        pid: its number.
        options: the command's: ``threshold``, ``hang_after``, and ``duration``, None for no limit; all in seconds.
        account_of: returns who counts and prints the stalls that come in.

    Returns:
        The account, the session to report, and the exit code: 5 where the process never began, or no loop ran in it.

    Raises:
        InputError: the process cannot do it, and why.
    """
    threshold_ns, began, began_ns = round(options["threshold"] * NS_PER_S), time.time(), now_ns()
    process = attached(pid)
    try:
        check(process)
        with (
            tempfile.TemporaryDirectory(prefix="loopstall-inject-", ignore_cleanup_errors=True) as folder,
            OutsideHelper(Path(folder), hang_after_s=options["hang_after"]) as helper,
        ):
            inbox = Inbox(Path(folder))
            account = account_of(inbox, helper)
            account.started(pid)
            address = helper.variables.get(VARIABLE, "")
            with Injection(process, Path(folder), helper=address, threshold_ns=threshold_ns) as injection:
                ended, status = _followed(process, injection, account, options["duration"])
                account.take_last()
            if injection.begun and not Path(folder, LOOPED).exists():
                ended, status = f"{ended} No event loop ran in it meanwhile.", status or InconclusiveError.exit_code
    finally:
        process.close()
    watched_ns = now_ns() - began_ns if injection.begun else 0
    session = Session(
        title=printable(f"loopstall watch --pid {pid} --inject: {process.command}"),
        summary=account.summary,
        watched_ns=watched_ns,
        began=began,
        threshold_ns=threshold_ns,
        about=(ended, *helper.cost(watched_ns), *map(printable, (*helper.faults, *inbox.faults))),
    )
    for sentence in session.about:
        account.note(sentence)
    return account, session, status


def _followed(process: Attached, injection: Injection, account: Account, duration_s: float | None) -> tuple[str, int]:
    """Follows a watch to its end; returns in a sentence what has ended it, and the exit code."""
    status = 0
    try:
        ended = _follow(process, injection, account, duration_s)
    except KeyboardInterrupt as error:
        ended = "The watch was interrupted."
        status = 128 + error.number if isinstance(error, Terminated) else 0
    finally:
        taken_back = injection.end()
    if not injection.begun:
        never = "The process never came to begin with it: nothing was watched."
        return f"{ended} {never}", status or InconclusiveError.exit_code
    if not taken_back:
        ended += " The process takes everything back as soon as its loops and its main thread run again."
    return ended, status


def _follow(process: Attached, injection: Injection, account: Account, duration_s: float | None) -> str:
    """Takes stalls until the process ends or the time is over."""
    python = ".".join(map(str, process.version))
    account.note(f"watching process {process.pid}, Python {python}, from within; Ctrl-C ends it")
    began_s = time.monotonic()
    said, search_due_s, known = False, 0.0, set[int]()
    while duration_s is None or time.monotonic() - began_s < duration_s:
        injection.hear()
        account.take()
        now_s = time.monotonic()
        if not process.alive or injection.ended:
            return "The process has ended."
        if injection.begun and now_s >= search_due_s:
            _tell_loops(process, account, known, first=not search_due_s)
            search_due_s = now_s + _SEARCH_S
        elif not injection.begun and not said and now_s - began_s > _PATIENCE_S:
            said = True
            account.note(
                "its main thread waits for events, or is in C code: the watch begins as soon as that runs Python again"
            )
        time.sleep(_TICK_S)
    return "The time to watch was over."


def _tell_loops(process: Attached, account: Account, known: set[int], *, first: bool) -> None:
    """Says which loops have been found that were not known, or that there is none."""
    for thread_id, kind in process.loops():
        if thread_id not in known:
            account.note(f"thread {thread_id} runs an event loop ({kind})")
            known.add(thread_id)
    if first and not known:
        account.note(f"no event loop runs in it so far{children_told(process.children)}")
