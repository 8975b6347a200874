"""A session's stalls as a file, in the form that its name asks for."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
import json
from pathlib import Path
from xml.etree import ElementTree as ET

from loopstall.analysis.culprits import StallSummary
from loopstall.records import SCHEMA_VERSION, Frame, StallEvent
from loopstall.records.units import format_ns
from loopstall.report.escape import json_text
from loopstall.report.profile import speedscope_document
from loopstall.report.stall_text import culprit_line, described
from loopstall.report.text import place, printable

__all__ = ["FORMS", "Session", "StallDocument", "form_of", "rendered"]

FORMS = {
    ".html": "html",
    ".htm": "html",
    ".junit": "junit",
    ".xml": "junit",
    ".speedscope": "speedscope",
    ".speedscope.json": "speedscope",
    ".json": "json",
}
"""The form by the end of the file's name, the longer end first where two fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a report of stalls is made from.

    Args:
        title: what was watched.
        summary: its stalls.
        watched_ns: for how long.
        began: when, in seconds since 1970, UTC.
        threshold_ns: from when on a span without progress was a stall.
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
    """All the stalls of one line; times in ns, ``places`` are tests or processes with how many each had."""

    frame: Frame | None
    count: int
    total_ns: int
    longest_ns: int
    causes: dict[str, int]
    places: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StallDocument:
    """The stalls of a session as data: all of them counted, by culprit, the longest in full."""

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


def form_of(path: Path) -> str:
    """Returns the form that a file's name asks for.

    Raises:
        ValueError: it asks for none; the message says which there are.
    """
    for end in sorted(FORMS, key=len, reverse=True):
        if path.name.lower().endswith(end):
            return FORMS[end]
    raise ValueError(f"{path} names no form of report; end it in {', '.join(FORMS)}")


def rendered(session: Session, form: str) -> str:
    """Renders a session.

    Args:
        session: what there was.
        form: one of ``FORMS``.
    """
    if form == "html":
        from loopstall.report.page.stall_page import to_page  # jinja2 is for pages alone

        return to_page(session)
    forms: dict[str, Callable[[Session], str]] = {"json": _json, "junit": _junit, "speedscope": _speedscope}
    return forms[form](session)


def document(session: Session) -> StallDocument:
    """Returns a session as data."""
    summary = session.summary
    return StallDocument(
        format="loopstall",
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
            )
            for item in summary.culprits
        ],
        stalls=summary.longest,
    )  # fmt: skip


def _json(session: Session) -> str:
    return json_text(json.dumps(asdict(document(session)), indent=1)) + "\n"


def _speedscope(session: Session) -> str:
    by_place: dict[str, list[StallEvent]] = {}
    for seen in session.summary.longest:
        by_place.setdefault(seen.test or seen.process, []).append(seen)
    profiles = [(name, [(seen.stall, seen.length_ns) for seen in some]) for name, some in by_place.items()]
    return json_text(json.dumps(speedscope_document(session.title, profiles))) + "\n"


def _junit(session: Session) -> str:
    """A test case a culprit, which fails where a stall of it broke a budget."""
    broken: dict[Frame | None, StallEvent] = {}
    for seen in session.summary.longest:
        if seen.over:
            broken.setdefault(seen.blamed, seen)
    culprits = session.summary.culprits
    suites = ET.Element("testsuites", name="loopstall")
    suite = ET.SubElement(
        suites, "testsuite", name="event-loop stalls", tests=str(max(1, len(culprits))), failures=str(len(broken)),
        errors="0", skipped="0",
    )  # fmt: skip
    for item in culprits:
        where = place(item.frame) if item.frame is not None else "no culprit was seen"
        case = ET.SubElement(suite, "testcase", classname="event-loop stalls", name=where)
        worst = broken.get(item.frame)
        if worst is None:
            ET.SubElement(case, "system-out").text = culprit_line(item)
            continue
        message = printable(f"an event loop was blocked for {format_ns(worst.length_ns)}")
        failure = ET.SubElement(case, "failure", message=message, type=printable(worst.stall.cause))
        failure.text = "\n".join(filter(None, (printable(worst.test), described(worst.stall, worst.length_ns))))
    if not culprits:
        ET.SubElement(suite, "testcase", classname="event-loop stalls", name="no stall was seen")
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"
