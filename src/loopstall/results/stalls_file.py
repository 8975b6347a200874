"""A session's stalls from the files that keep them: the JSON of watch and of the pytest plugin, and JSON lines."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from loopstall.analysis.culprits import Blame, Culprit, StallSummary, blame
from loopstall.errors import InconclusiveError, InputError
from loopstall.records import SCHEMA_VERSION, StallEvent
from loopstall.records.clock import NS_PER_S
from loopstall.report.stall_document import CulpritReport, Session, StallDocument

__all__ = ["read_document", "read_lines"]

_LINES_ONLY = (
    "Read from JSON lines, which do not say for how long the program was watched: the time is that from the first"
    " stall to the end of the last one."
)


def read_document(path: Path, content: bytes) -> Session:
    """Reads what ``report.stall_document.stalls_to_json`` wrote.

    Args:
        path: the file, for messages.
        content: its bytes.

    Raises:
        InputError: the file is damaged, or of a newer version.
    """
    try:
        made = msgspec.json.decode(content, type=StallDocument)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path} is damaged: {error}; write the report again") from error
    if made.version > SCHEMA_VERSION:
        raise InputError(
            f"{path} has version {made.version} of the format and this loopstall reads up to {SCHEMA_VERSION};"
            " upgrade loopstall"
        )
    return Session(
        title=made.title,
        summary=StallSummary.restored(
            count=made.count,
            total_ns=made.total_ns,
            longest_ns=made.longest_ns,
            over=made.over,
            causes=made.causes,
            processes=made.processes,
            culprits=[_culprit(item, made.stalls) for item in made.culprits],
            longest=made.stalls,
        ),
        watched_ns=made.watched_ns,
        began=made.began,
        threshold_ns=made.threshold_ns,
        about=made.about,
    )


def _culprit(item: CulpritReport, stalls: Sequence[StallEvent]) -> Culprit:
    put_down = Blame(frame=item.frame, library=item.library, work=item.work)
    own = [seen.stall for seen in stalls if blame(seen.stall) == put_down or seen.blamed == item.frame is not None]
    return Culprit(
        blame=put_down,
        count=item.count,
        total_ns=item.total_ns,
        longest_ns=item.longest_ns,
        longest=max(own, key=lambda stall: (bool(stall.stack), stall.duration_ns), default=None),
        causes=Counter(item.causes),
        places=Counter(item.places),
    )


def read_lines(path: Path, content: bytes) -> Session:
    """Reads what ``loopstall watch --json-lines`` wrote; a last line that was not written to its end is left out.

    Args:
        path: the file, for messages and as the title.
        content: its bytes.

    Raises:
        InputError: a line is something else.
        InconclusiveError: there is no line.
    """
    whole, _, rest = content.rpartition(b"\n")
    events: list[StallEvent] = []
    for number, line in enumerate(whole.split(b"\n"), 1):
        if line.strip():
            try:
                events.append(msgspec.json.decode(line, type=StallEvent))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise InputError(
                    f"{path}, line {number}, is not a stall: {error}; give a file that --json-lines wrote"
                ) from error
    if not events:
        raise InconclusiveError(f"{path} holds no stall, and does not say whether anything was watched")
    began = min(seen.at for seen in events)
    summary = StallSummary()
    for seen in events:
        summary.add(seen)
    cut = ("The last line was not written to its end and is left out.",) if rest.strip() else ()
    return Session(
        title=path.name,
        summary=summary,
        watched_ns=round(max((seen.at - began) * NS_PER_S + seen.length_ns for seen in events)),
        began=began,
        threshold_ns=min((seen.stall.evidence.threshold_ns for seen in events if seen.stall.evidence), default=0),
        about=(_LINES_ONLY, *cut),
    )
