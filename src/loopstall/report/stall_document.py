"""A session's stalls as data, with a published schema; the standard library alone."""

from dataclasses import asdict, dataclass
import json

from loopstall.analysis.culprits import StallSummary
from loopstall.records import FORMAT, SCHEMA_VERSION, Frame, StallEvent
from loopstall.report.escape import json_text

__all__ = ["CulpritReport", "Session", "StallDocument", "document", "stalls_to_json", "to_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The content of a report of stalls.

    Args:
        title: the name of the watched program or session.
        summary: its stalls.
        watched_ns: for how long.
        began: when, in seconds since 1970, UTC.
        threshold_ns: the span without progress from which there was a stall.
        about: more to say of it, a sentence each.
    """

    title: str
    summary: StallSummary
    watched_ns: int
    began: float
    threshold_ns: int
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CulpritReport:
    """All the stalls of one line; times in ns, ``places`` are tests or processes with how many each had.

    Where no line of the user's was seen there is no ``frame``; ``library`` says where the loop was instead, ``work``
    the route, coroutine or task that it worked for.
    """

    frame: Frame | None
    count: int
    total_ns: int
    longest_ns: int
    causes: dict[str, int]
    places: dict[str, int]
    library: str = ""
    work: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StallDocument:
    """The stalls of a session as data: all of them counted, by culprit, the longest in full, and notes on it."""

    format: str
    kind: str
    version: int
    title: str
    began: float
    watched_ns: int
    threshold_ns: int
    count: int
    total_ns: int
    longest_ns: int
    over: int
    causes: dict[str, int]
    processes: dict[str, int]
    culprits: list[CulpritReport]
    stalls: list[StallEvent]
    about: tuple[str, ...] = ()


def document(session: Session) -> StallDocument:
    """Returns a session as data."""
    summary = session.summary
    return StallDocument(
        format=FORMAT,
        kind="stalls",
        version=SCHEMA_VERSION,
        title=session.title,
        began=session.began,
        watched_ns=session.watched_ns,
        threshold_ns=session.threshold_ns,
        count=summary.count,
        total_ns=summary.total_ns,
        longest_ns=summary.longest_ns,
        over=summary.over,
        causes=dict(summary.causes),
        processes=dict(summary.processes),
        culprits=[
            CulpritReport(
                frame=item.frame, count=item.count, total_ns=item.total_ns, longest_ns=item.longest_ns,
                causes=dict(item.causes), places=dict(item.places),
                library=item.blame.library, work=item.blame.work,
            )
            for item in summary.culprits
        ],
        stalls=summary.longest,
        about=session.about,
    )  # fmt: skip


def stalls_to_json(session: Session) -> str:
    """Renders a session as JSON; docs/stalls.schema.json says of what shape."""
    return to_json(document(session))


def to_json(stalls: StallDocument) -> str:
    """Renders the data of a session as JSON."""
    return json_text(json.dumps(asdict(stalls), indent=1)) + "\n"
