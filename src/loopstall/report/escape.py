"""Text from outside (parameters, names of tasks and files, messages of exceptions), as each format takes it for text.

Every report and every line that a command prints goes through here, so that no text moves a cursor, looks like what it
is not, or gives an order to a spreadsheet, a browser or a CI server.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["csv_row", "csv_text", "github_command", "json_text", "markdown_text", "paragraph", "printable", "tamed"]

_COMMAND = re.compile(r"^(\s*):(?=:)|(#)(?=#\w*\[)")
"""Signs that a CI server takes for a command of its own.

GitHub's runner does so with ``::`` after any white space at the start of a line, and with ``##[`` anywhere
(actions/runner, src/Runner.Common/ActionCommand.cs); Azure Pipelines with ``##vso[``, TeamCity with ``##teamcity[``.
"""


_NUMBER = re.compile(r"[+-]\d+(\.\d+)?%?")


def printable(text: str) -> str:
    """Returns text as one line, in which what cannot be seen and what a CI server would obey stand as escapes.

    That is newlines, control characters, terminal escapes, bidirectional marks, lone surrogates and odd spaces.
    """
    if not text.isprintable():  # nearly all is
        text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    return tamed(text)


def paragraph(text: str) -> str:
    """Returns text of several lines, each of them as ``printable`` has it: a traceback, a docstring."""
    return "\n".join(map(printable, text.split("\n")))


def tamed(line: str) -> str:
    """Returns a line that no CI server takes for a command: the first sign of one stands as its escape."""
    if "::" not in line and "##" not in line:
        return line
    return _COMMAND.sub(lambda found: r"\x23" if found[2] else rf"{found[1]}\x3a", line)


def markdown_text(text: str) -> str:
    """Returns text that Markdown takes as it stands, inside a table too."""
    flat = printable(text).replace("\\", "\\\\")
    for sign in "|`*_[]<>#":
        flat = flat.replace(sign, f"\\{sign}")
    return flat


def csv_text(text: str) -> str:
    """Returns text that a spreadsheet takes for text, and never for a formula."""
    shown = printable(text)
    formula = shown.lstrip()[:1] in {"=", "+", "-", "@"} and not _NUMBER.fullmatch(shown)
    return f"'{shown}" if formula else shown


def csv_row(*fields: object) -> str:
    """Returns a line of CSV: numbers as they are, everything else as text."""
    import csv  # `loopstall --help` comes through here, and starts without it
    import io

    out = io.StringIO()
    shown = [field if isinstance(field, int | float) else csv_text(str(field)) for field in fields]
    csv.writer(out, lineterminator="\n").writerow(shown)
    return out.getvalue()


def json_text(text: str) -> str:
    """Returns JSON, as any encoder has made it, with JSON's own escapes for what ``printable`` does not let through."""
    lines = (line if line.isprintable() else "".join(map(_json_sign, line)) for line in text.split("\n"))
    return _COMMAND.sub(r"\\u0023", "\n".join(lines))


def _json_sign(char: str) -> str:
    import json  # `loopstall --help` starts without it

    return char if char.isprintable() else json.dumps(char)[1:-1]


def github_command(kind: str, message: str, *, file: str, line: int | None, title: str, root: "Path") -> str:
    """Returns a workflow command that annotates a line.

    Args:
        kind: ``error``, ``warning`` or ``notice``.
        message: the text, in any number of lines.
        file: where; no place for "".
        line: of the file, if one is known.
        title: above the message.
        root: the checkout, to which the path is relative.
    """
    from pathlib import Path  # `loopstall --help` starts without it

    path = Path(file)
    relative = path.relative_to(root).as_posix() if path.is_relative_to(root) else file
    fields = [("file", relative)] if file else []
    fields += [("line", str(line))] if file and line is not None else []
    fields.append(("title", title))
    written = ",".join(f"{name}={_property(printable(value))}" for name, value in fields)
    return f"::{kind} {written}::{_data(paragraph(message))}"


def _data(text: str) -> str:
    """Escapes a message as GitHub's toolkit does (actions/toolkit, packages/core/src/command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
