"""Where a gate's verdicts go: each format to the terminal or to a file of its own."""

from collections.abc import Sequence
import io
import os
from pathlib import Path

import click
from rich.console import Console

from loopstall.cli.out import console, emit
from loopstall.cli.pages import checkout_root
from loopstall.errors import InputError
from loopstall.files import write_text
from loopstall.records import Skipped, Verdict
from loopstall.report.github import to_github
from loopstall.report.junit import to_junit
from loopstall.report.markdown import to_markdown
from loopstall.report.terminal import verdicts_shown
from loopstall.report.text import printable
from loopstall.report.verdict_text import left_out, sentence
from loopstall.results import store

__all__ = ["FORMATS", "Outputs"]

FORMATS = ("terminal", "markdown", "json", "junit", "github")

_SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
_WIDTH = 120  # of the terminal's format in a file


class Outputs:
    """The formats that were asked for.

    Args:
        forms: their names; the terminal's for none.
        files: the file of each, as far as they go; stdout for "-" and for the rest.
        inconclusive_fails: whether a cell that could not be judged is an error.

    Raises:
        click.UsageError: there are more files than formats.
    """

    def __init__(self, forms: Sequence[str], files: Sequence[str], *, inconclusive_fails: bool) -> None:
        if len(files) > len(forms):
            raise click.UsageError("each -o is the file of the --format before it; there are more files than formats")
        names = forms or ["terminal"]
        self._wanted = list(zip(names, [*files, *["-"] * len(names)], strict=False))
        self._inconclusive_fails = inconclusive_fails

    def write(self, verdicts: Sequence[Verdict], skipped: Sequence[Skipped], *, notes: Sequence[str]) -> None:
        """Writes them all.

        Args:
            verdicts: of the matrix.
            skipped: what was not measured.
            notes: sentences about the comparison as a whole.

        Raises:
            InputError: a file cannot be written.
        """
        for form, file in self._wanted:
            if form == "terminal" and file == "-":
                _print(console(), verdicts, skipped, notes)
                continue
            _put(file, self._text(form, verdicts, skipped, notes))
            if form == "github" and os.environ.get(_SUMMARY_VARIABLE):
                _append(Path(os.environ[_SUMMARY_VARIABLE]), self._text("markdown", verdicts, skipped, notes))

    def _text(self, form: str, verdicts: Sequence[Verdict], skipped: Sequence[Skipped], notes: Sequence[str]) -> str:
        if form == "markdown":
            return to_markdown(verdicts, notes=(*notes, *left_out(skipped)))
        if form == "json":
            return store.verdicts_text(verdicts)
        if form == "junit":
            return to_junit(verdicts, inconclusive_fails=self._inconclusive_fails)
        if form == "github":
            return to_github(verdicts, root=checkout_root())
        text = io.StringIO()
        _print(console(text, width=_WIDTH), verdicts, skipped, notes)
        return text.getvalue()


def _print(terminal: Console, verdicts: Sequence[Verdict], skipped: Sequence[Skipped], notes: Sequence[str]) -> None:
    terminal.print(verdicts_shown(verdicts, skipped))
    terminal.print(f"{sentence(verdicts)}.", soft_wrap=True)
    for note in notes:
        terminal.print(printable(note), style="dim", soft_wrap=True)


def _put(file: str, text: str) -> None:
    if file == "-":
        emit(text)
        return
    try:
        write_text(Path(file), text)
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror or error}; choose another file with -o") from error


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"cannot write {_SUMMARY_VARIABLE} {path}: {error.strerror or error}") from error
