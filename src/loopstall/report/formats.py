"""The output formats: one table, and one file a format; each is imported when it is asked for."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopstall.errors import InputError

if TYPE_CHECKING:
    from loopstall.analysis.content import Digest
    from loopstall.records.dumps import ProcessDump
    from loopstall.report.stall_document import Session

__all__ = ["FORMATS", "STALL_FORMATS", "dump_rendered", "rendered", "stall_format_of", "stalls_rendered"]

_RESULTS = {
    "html": ("page.html", "to_html"),
    "markdown": ("markdown", "matrix_to_markdown"),
    "terminal": ("terminal", "matrix_to_terminal"),
    "json": ("json_csv", "to_json"),
    "csv": ("json_csv", "to_csv"),
    "junit": ("junit", "matrix_to_junit"),
    "github": ("github", "matrix_to_github"),
    "speedscope": ("speedscope", "matrix_to_speedscope"),
    "trace": ("trace", "to_trace"),
    "pyperf": ("pyperf_json", "to_pyperf"),
}
"""Module and function of each format of a result; the function takes a ``Digest`` and returns text."""

_VERDICTS = {
    "markdown": ("markdown", "gate_to_markdown"),
    "terminal": ("terminal", "gate_to_terminal"),
    "junit": ("junit", "gate_to_junit"),
    "github": ("github", "gate_to_github"),
}
"""The formats that show a gate's verdicts instead, where the result has some."""

_STALLS = {
    "html": ("page.stall_page", "to_page"),
    "markdown": ("stall_tables", "stalls_to_markdown"),
    "terminal": ("stall_summary", "session_to_terminal"),
    "json": ("stall_document", "stalls_to_json"),
    "csv": ("stall_tables", "stalls_to_csv"),
    "junit": ("junit", "stalls_to_junit"),
    "github": ("stall_tables", "stalls_to_github"),
    "speedscope": ("speedscope", "stalls_to_speedscope"),
}
"""Module and function of each format of a session's stalls; the function takes a ``Session``."""

_DUMPS = {
    "html": ("dump_text", "dump_to_html"),
    "markdown": ("dump_text", "dump_to_markdown"),
    "terminal": ("dump_text", "dump_to_terminal"),
    "json": ("dump_text", "dump_to_json"),
}
"""Module and function of each format of a process at one moment; the function takes a ``ProcessDump``."""

_OF_RUNS = {"csv", "speedscope", "trace", "pyperf"}
"""Formats that are made of single runs."""

FORMATS = tuple(_RESULTS)

STALL_FORMATS = {
    ".html": "html",
    ".htm": "html",
    ".junit": "junit",
    ".xml": "junit",
    ".speedscope": "speedscope",
    ".speedscope.json": "speedscope",
    ".json": "json",
}
"""The format of a session's stalls by the end of the file's name; the longer end goes before where two fit."""


def rendered(form: str, made: "Digest") -> str:
    """Renders a result; where a gate has judged it, in the gate's own way.

    Args:
        form: one of ``FORMATS``.
        made: the digest of a result.

    Raises:
        InputError: the format needs a library that is not installed, or runs, which a report that was read has not.
    """
    if made.restored and form in _OF_RUNS:
        raise InputError(f"{form} is made of runs, and a report as data has none; give the results folder it is of")
    return _renderer(_VERDICTS.get(form, _RESULTS[form]) if made.content.judged else _RESULTS[form])(made)


def stall_format_of(path: Path) -> str:
    """Returns the format that a file's name asks for.

    Raises:
        InputError: it asks for none; the message says which there are.
    """
    for end in sorted(STALL_FORMATS, key=len, reverse=True):
        if path.name.lower().endswith(end):
            return STALL_FORMATS[end]
    raise InputError(f"{path} names no form of report; end it in {', '.join(STALL_FORMATS)}")


def stalls_rendered(form: str, session: "Session") -> str:
    """Renders the stalls of a session.

    Args:
        form: one of the values of ``STALL_FORMATS``, or another format that ``loopstall report`` writes.
        session: the watched session.

    Raises:
        InputError: stalls have no such format.
    """
    if form not in _STALLS:
        raise InputError(f"stalls alone have no {form}, which is of measured runs; choose {', '.join(_STALLS)}")
    return _renderer(_STALLS[form])(session)


def dump_rendered(form: str, dump: "ProcessDump") -> str:
    """Renders what the loops of a process did at one moment.

    Args:
        form: a format that ``loopstall report`` writes.
        dump: what was seen.

    Raises:
        InputError: a dump has no such format.
    """
    if form not in _DUMPS:
        raise InputError(f"a dump has no {form}, which is of measured runs or stalls; choose {', '.join(_DUMPS)}")
    return _renderer(_DUMPS[form])(dump)


def _renderer(place: tuple[str, str]) -> Callable[[Any], str]:
    module, name = place
    function: Callable[[Any], str] = getattr(import_module(f"loopstall.report.{module}"), name)
    return function
