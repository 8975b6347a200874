"""Text that may hold anything, as each format takes it for text."""

from pathlib import Path

from loopstall.report.text import printable

__all__ = ["csv_text", "github_command", "markdown_text"]


def markdown_text(text: str) -> str:
    """Returns text that Markdown takes as it stands, inside a table too."""
    flat = printable(text).replace("\n", " ").replace("\\", "\\\\")
    for sign in "|`*_[]<>#":
        flat = flat.replace(sign, f"\\{sign}")
    return flat


def csv_text(text: str) -> str:
    """Returns text that a spreadsheet takes for text, and never for a formula."""
    shown = printable(text)
    return f"'{shown}" if shown[:1] in {"=", "+", "-", "@", "\t", "\r"} else shown


def github_command(kind: str, message: str, *, file: str, line: int | None, title: str, root: Path) -> str:
    """Returns a workflow command that annotates a line.

    Args:
        kind: ``error``, ``warning`` or ``notice``.
        message: what is said.
        file: where; no place for "".
        line: of the file, if one is known.
        title: above the message.
        root: the checkout, to which the path is relative.
    """
    path = Path(file)
    relative = path.relative_to(root).as_posix() if path.is_relative_to(root) else file
    fields = [("file", relative)] if file else []
    fields += [("line", str(line))] if file and line is not None else []
    fields.append(("title", title))
    written = ",".join(f"{name}={_property(printable(value))}" for name, value in fields)
    return f"::{kind} {written}::{_data(printable(message))}"


def _data(text: str) -> str:
    """Escapes a message as GitHub's toolkit does (actions/toolkit, packages/core/src/command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
