"""The gate's verdicts as JUnit XML, in the shape that Jenkins' schema asks for."""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from loopstall.records import Verdict
from loopstall.report.text import printable
from loopstall.report.verdict_text import detail

__all__ = ["to_junit"]

_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def to_junit(verdicts: Sequence[Verdict], *, inconclusive_fails: bool = True) -> str:
    """Renders a test case a cell: a regression is a failure, a cell that failed or could not be judged an error.

    Args:
        verdicts: a matrix.
        inconclusive_fails: whether a cell that could not be judged is an error, or was skipped.
    """
    suites = ET.Element("testsuites", name="loopstall")
    suite = ET.SubElement(suites, "testsuite", name="loopstall gate")
    counts = {"tests": len(verdicts), **dict.fromkeys(_COUNTED.values(), 0)}
    for item in verdicts:
        case = ET.SubElement(suite, "testcase", classname=printable(item.row), name=printable(item.strategy))
        kind = _kind(item, inconclusive_fails=inconclusive_fails)
        if kind == "":
            ET.SubElement(case, "system-out").text = f"{printable(item.verdict)}: {detail(item)}"
            continue
        counts[_COUNTED[kind]] += 1
        said = ET.SubElement(case, kind, message=printable(item.rule))
        if kind != "skipped":
            said.set("type", printable(item.verdict))
            said.text = detail(item)
    for name, count in counts.items():
        suite.set(name, str(count))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _kind(item: Verdict, *, inconclusive_fails: bool) -> str:
    if item.accepted:
        return ""
    kinds = {"regressed": "failure", "failed": "error", "inconclusive": "error" if inconclusive_fails else "skipped"}
    return kinds.get(item.verdict, "")
