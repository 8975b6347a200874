"""Outputs of a gate: each format goes to the terminal or to a file of its own."""

from collections.abc import Sequence
import os
from pathlib import Path

from rich.text import Text

from loopstall.analysis.content import Content, Digest, digest
from loopstall.errors import InputError
from loopstall.records import Skipped, Verdict
from loopstall.records.files import write_output
from loopstall.report.compared import verdicts_shown
from loopstall.report.formats import rendered
from loopstall.report.markdown import gate_to_markdown
from loopstall.report.output import console, emit
from loopstall.report.terminal import closing
from loopstall.results import store

__all__ = ["FORMATS", "Outputs"]

FORMATS = ("terminal", "markdown", "json", "junit", "github")

_SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
_SUMMARY_BYTES = 900_000  # GitHub takes 1 MiB a step


class Outputs:
    """The formats that were asked for.

    Args:
        forms: their names; the terminal's for none.
        files: the file of each, as far as they go; stdout for "-" and for the rest.
        inconclusive_fails: whether a cell that could not be judged is an error.
        root: the root of the checkout that places in the code are relative to.

    Raises:
        ValueError: there are more files than formats.
    """

    def __init__(self, forms: Sequence[str], files: Sequence[str], *, inconclusive_fails: bool, root: Path) -> None:
        if len(files) > len(forms):
            raise ValueError("each -o is the file of the --format before it; there are more files than formats")
        names = forms or ["terminal"]
        self._wanted = list(zip(names, [*files, *["-"] * len(names)], strict=False))
        self._inconclusive_fails = inconclusive_fails
        self._root = root

    def write(self, verdicts: Sequence[Verdict], skipped: Sequence[Skipped], *, notes: Sequence[str]) -> None:
        """Writes them all.

        Args:
            verdicts: of the matrix.
            skipped: the cells that were not measured.
            notes: sentences about the comparison as a whole.

        Raises:
            InputError: a file cannot be written.
        """
        made = digest(
            Content(
                title="loopstall gate",
                runs=(),
                verdicts=verdicts,
                gated=True,
                notes=notes,
                skipped=skipped,
                inconclusive_fails=self._inconclusive_fails,
                root=self._root,
            )
        )
        for form, file in self._wanted:
            if form == "terminal" and file == "-":
                terminal = console()
                for part in (verdicts_shown(verdicts, skipped), *closing(made)):
                    terminal.print(part, soft_wrap=isinstance(part, Text))
                continue
            _put(file, _text(form, made))
            if form == "github" and os.environ.get(_SUMMARY_VARIABLE):
                _append(Path(os.environ[_SUMMARY_VARIABLE]), gate_to_markdown(made, limit_bytes=_SUMMARY_BYTES))


def _text(form: str, made: Digest) -> str:
    if form == "json":  # the verdicts alone, as the results folder keeps them
        return store.verdicts_text(made.content.verdicts)
    return rendered(form, made)


def _put(file: str, text: str) -> None:
    if file == "-":
        emit(text)
    else:
        write_output(Path(file), text)


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"cannot write {_SUMMARY_VARIABLE} {path}: {error.strerror or error}") from error
