"""JUnit XML, in the shape that Jenkins' schema asks for: of a matrix, of a gate's verdicts, of a session's stalls."""

from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from loopstall.analysis.content import Digest
from loopstall.analysis.culprits import Blame, blame
from loopstall.analysis.diagnosis import Diagnosis
from loopstall.records import BROKEN, StallEvent, Summary, Verdict
from loopstall.records.units import format_ns
from loopstall.report.escape import paragraph, printable
from loopstall.report.stall_document import Session
from loopstall.report.stall_text import blamed, culprit_line, described
from loopstall.report.text import place
from loopstall.report.verdict_text import detail

__all__ = ["gate_to_junit", "matrix_to_junit", "stalls_to_junit"]

_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}
_STALLS = "event-loop stalls"


class _Suite:
    """A test suite that counts what it is given."""

    def __init__(self, name: str) -> None:
        self._root = ET.Element("testsuites", name="loopstall")
        self._suite = ET.SubElement(self._root, "testsuite", name=printable(name))
        self._counts: Counter[str] = Counter()

    def add(
        self, classname: str, name: str, *, kind: str = "", message: str = "", type_: str = "", text: str = ""
    ) -> None:
        """Adds a test case.

        Args:
            classname: the group that it belongs to.
            name: of the case.
            kind: ``failure``, ``error`` or ``skipped``; "" for a case that passed.
            message: of what is wrong.
            type_: of what is wrong, for machines.
            text: all the rest that there is to say.
        """
        case = ET.SubElement(self._suite, "testcase", classname=printable(classname), name=printable(name))
        self._counts["tests"] += 1
        if not kind:
            if text:
                ET.SubElement(case, "system-out").text = paragraph(text)
            return
        self._counts[_COUNTED[kind]] += 1
        said = ET.SubElement(case, kind, message=printable(message))
        if kind != "skipped":
            said.set("type", printable(type_))
            said.text = paragraph(text)

    def written(self) -> str:
        """Returns the document."""
        for name in ("tests", *_COUNTED.values()):
            self._suite.set(name, str(self._counts[name]))
        ET.indent(self._root)
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(self._root, encoding="unicode") + "\n"


def matrix_to_junit(made: Digest) -> str:
    """Renders a test case a cell: a trap is a failure, a cell that failed an error, one left out skipped."""
    suite = _Suite(made.content.title)
    for item in made.summaries:
        name = (item.cell.row, str(item.cell.strategy))
        if item.error is not None:
            suite.add(*name, kind="error", message=item.error.message, type_=item.error.kind, text=item.error.detail)
        elif item.trap:
            suite.add(*name, kind="failure", message=item.why, type_="trap", text=_advice(item, made.diagnoses))
        else:
            suite.add(*name)
    for left in made.skipped:
        suite.add(left.cell.row, str(left.cell.strategy), kind="skipped", message=left.reason)
    return suite.written()


def _advice(item: Summary, diagnoses: Sequence[Diagnosis]) -> str:
    """Returns the culprit of a trap and what its findings recommend."""
    lines: list[str] = [place(item.culprit)] if item.culprit is not None else []
    for found in diagnoses:
        if item.cell in (found.cell, *found.others):
            lines += [
                f"{found.rule.name}: {found.rule.cause} {found.advice}",
                found.better,
                found.alternative,
                found.command,
            ]
    return "\n".join(filter(None, lines))


def gate_to_junit(made: Digest) -> str:
    """Renders a test case a cell: a regression is a failure, a cell that failed or could not be judged an error.

    Where the content says so, a cell that could not be judged is skipped instead.
    """
    suite = _Suite("loopstall gate")
    for item in made.content.verdicts:
        kind = _kind(item, inconclusive_fails=made.content.inconclusive_fails)
        text = detail(item) if kind else f"{item.verdict}: {detail(item)}"
        suite.add(item.row, item.strategy, kind=kind, message=item.rule, type_=item.verdict, text=text)
    return suite.written()


def _kind(item: Verdict, *, inconclusive_fails: bool) -> str:
    if item.accepted:
        return ""
    undecided = "error" if inconclusive_fails else "skipped"
    kinds = {"regressed": "failure", "failed": "error", "inconclusive": undecided, BROKEN: undecided}
    return kinds.get(item.verdict, "")


def stalls_to_junit(session: Session) -> str:
    """Renders a test case a culprit, which fails where a stall of it broke a budget."""
    broken: dict[Blame, StallEvent] = {}
    for seen in session.summary.longest:
        if seen.over:
            broken.setdefault(blame(seen.stall), seen)
    suite = _Suite(_STALLS)
    for item in session.summary.culprits:
        where = blamed(item.blame)
        worst = broken.get(item.blame)
        if worst is None:
            suite.add(_STALLS, where, text=culprit_line(item))
            continue
        suite.add(
            _STALLS,
            where,
            kind="failure",
            message=f"an event loop was blocked for {format_ns(worst.own_ns)}",
            type_=worst.stall.cause,
            text="\n".join(filter(None, (worst.test, described(worst)))),
        )
    if not session.summary.culprits:
        suite.add(_STALLS, "no stall was seen")
    return suite.written()
