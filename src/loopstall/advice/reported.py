"""A culprit of a report of stalls: what the report says of it, and whether it can be measured by itself."""

from dataclasses import dataclass
import inspect
from pathlib import Path

import msgspec

from loopstall.analysis.rules import had_gil, rule_of
from loopstall.errors import InputError
from loopstall.records import Frame
from loopstall.records.units import counted, format_ns
from loopstall.report.stall_document import CulpritReport, StallDocument
from loopstall.report.text import place, printable
from loopstall.workloads import target as targets

__all__ = ["ReportedCulprit", "find", "how_to_measure", "told"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedCulprit:
    """A culprit of a report.

    Args:
        frame: its line.
        report: its stalls.
        rate: stalls a second, None where the report does not say how long it watched.
        gil: whether the Python that stalled had one.
        target: ``file.py:function`` where that can be called, else None.
        why_not: why it cannot be.
        needs_arguments: whether a call takes any.
    """

    frame: Frame
    report: CulpritReport
    rate: float | None
    gil: bool
    target: str | None
    why_not: str = ""
    needs_arguments: bool = False


def find(path: Path, wanted: str | None) -> ReportedCulprit:
    """Returns a culprit of a report.

    Args:
        path: a report of stalls in JSON, of the pytest plugin or of watch.
        wanted: ``file.py:12``, ``file.py`` or the function's name; the one that stalled longest in all for None.

    Raises:
        InputError: the file is no such report, or has no such culprit.
    """
    document = _read(path)
    known = [item for item in document.culprits if item.frame is not None]
    if not known:
        raise InputError(f"{path} names no culprit: nothing stalled, or no stack was seen")
    fitting = [item for item in known if wanted is None or _fits(item.frame, wanted)]
    if not fitting:
        there = ", ".join(place(item.frame) for item in known[:5] if item.frame is not None)
        raise InputError(f"{path} has no culprit {wanted!r}; it has: {there}")
    worst = max(fitting, key=lambda item: item.total_ns)
    frame = worst.frame
    assert frame is not None  # those without were left out
    rate = worst.count / (document.watched_ns / 1e9) if document.watched_ns else None
    target, why_not, needs = _callable(frame)
    return ReportedCulprit(
        frame=frame,
        report=worst,
        rate=rate,
        gil=had_gil(*(event.stall for event in document.stalls)),
        target=target,
        why_not=why_not,
        needs_arguments=needs,
    )


def _read(path: Path) -> StallDocument:
    hint = "give a report of stalls in JSON, as `loopstall watch -o report.json` or `pytest --stall-report` write it"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; {hint}") from error
    try:
        return msgspec.json.decode(data, type=StallDocument)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path} is no report of stalls ({error}); {hint}") from error


def _fits(frame: Frame | None, wanted: str) -> bool:
    if frame is None:
        return False
    file = frame.file.replace("\\", "/")
    return wanted == frame.function or any(
        f"/{text}".endswith(f"/{wanted}") for text in (file, f"{file}:{frame.line}", f"{file}:{frame.function}")
    )


def _callable(frame: Frame) -> tuple[str | None, str, bool]:
    """Returns what the function is called by, or why it cannot be called, and whether it takes arguments."""
    if "." in frame.function or frame.function.startswith("<"):
        return None, f"{frame.function} is no function of a module; name one that does the work", False
    target = f"{frame.file}:{frame.function}"
    try:
        _, _, folder = targets.module_and_folder(target)
        targets.make_importable(folder)
        function = targets.load(target)
    except InputError as error:
        return None, str(error), False
    required = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    ]
    return target, "", bool(required)


def told(culprit: ReportedCulprit) -> str:
    """Describes a culprit in the report's words, and says what to do about its main cause."""
    report = culprit.report
    causes = ", ".join(
        f"{cause} {format_ns(total_ns)}" for cause, total_ns in sorted(report.causes.items(), key=lambda item: -item[1])
    )
    worst = max(report.causes, key=lambda cause: report.causes[cause], default="unknown")
    often = f", {culprit.rate:.2g} a second" if culprit.rate is not None else ""
    return printable(
        f"{place(culprit.frame)}: {counted(report.count, 'stall')}{often}, longest {format_ns(report.longest_ns)},"
        f" {format_ns(report.total_ns)} in all ({causes}). {rule_of(worst, gil=culprit.gil).advice}"
    )


def how_to_measure(culprit: ReportedCulprit, source: Path) -> str:
    """Describes what a recommendation lacks, with the command that measures it."""
    if culprit.target is None:
        text = (
            f"No recommendation, for it cannot be measured by itself: {culprit.why_not}.",
            "Give the function that computes: loopstall advise module:function --args '[...]'",
        )
    else:
        text = (
            "No recommendation yet: the function takes arguments, and the cost of sending them decides.",
            f"Give those of a typical call: loopstall advise {culprit.frame.function} --from {source} --args '[...]'",
        )
    return "\n".join(map(printable, text))
