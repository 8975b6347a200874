"""Reports as files: what they are made from, how each format is rendered, and where pages go."""

from collections.abc import Callable
import contextlib
from importlib import import_module
import io
from pathlib import Path

from loopstall.analysis.content import Content
from loopstall.analysis.summary import Budgets, budgets_of
from loopstall.cli.out import console
from loopstall.errors import InputError
from loopstall.files import write_output
from loopstall.results import store
from loopstall.runner.checkout import Checkout

__all__ = ["FORMATS", "content_of", "rendered", "write_index", "write_page"]

FORMATS = ("html", "markdown", "terminal", "json", "csv", "junit", "github", "speedscope", "trace", "pyperf")

_PAGE = "index.html"
_COMMENT = 65_000  # bytes; a comment on GitHub holds 65,536 characters
_WIDTH = 140  # of the terminal's format in a file
_PLAIN = {
    "html": ("page.html", "to_html"),
    "json": ("json_csv", "to_json"),
    "csv": ("json_csv", "to_csv"),
    "speedscope": ("speedscope", "to_speedscope"),
    "trace": ("trace", "to_trace"),
}
"""Module and function of the formats that are one whatever was measured; imported when asked for."""


def content_of(paths: tuple[Path, ...]) -> Content:
    """Reads what a report is made from: results folders, files of runs, or one folder of a gate.

    Raises:
        InputError: nothing can be read there.
    """
    folder = paths[0]
    gated = len(paths) == 1 and (folder / store.VERDICTS_FILE).is_file()
    found = store.load([folder / "candidate"] if gated else paths)
    other = store.load([folder / "baseline"]) if gated and (folder / "baseline").is_dir() else None
    plan = found.plan if len(paths) == 1 else None
    return Content(
        title=folder.resolve().name if len(paths) == 1 else f"{len(paths)} results",
        runs=found.runs,
        plan=plan,
        budgets=budgets_of(plan) if plan is not None else Budgets(),
        warnings=(*found.warnings, *(other.warnings if other else ())),
        verdicts=store.read_verdicts(folder) if gated else (),
        baselines=other.runs if other else (),
    )


def rendered(form: str, content: Content) -> str:
    """Renders a content in a format; where a gate has judged it, in the gate's own way.

    Raises:
        InputError: the format needs a library that is not installed.
    """
    if form in _PLAIN:
        module, name = _PLAIN[form]
        render: Callable[[Content], str] = getattr(import_module(f"loopstall.report.{module}"), name)
        return render(content)
    return {"markdown": _markdown, "terminal": _terminal, "junit": _junit, "github": _github, "pyperf": _pyperf}[form](
        content
    )


def _markdown(content: Content) -> str:
    from loopstall.report.markdown import to_markdown  # each format when it is asked for
    from loopstall.report.matrix import matrix_to_markdown

    return to_markdown(content.verdicts, limit_bytes=_COMMENT) if content.verdicts else matrix_to_markdown(content)


def _junit(content: Content) -> str:
    from loopstall.report.junit import to_junit
    from loopstall.report.matrix import matrix_to_junit

    return to_junit(content.verdicts) if content.verdicts else matrix_to_junit(content)


def _github(content: Content) -> str:
    from loopstall.report.github import to_github
    from loopstall.report.matrix import matrix_to_github

    root = checkout_root()
    return to_github(content.verdicts, root=root) if content.verdicts else matrix_to_github(content, root=root)


def _pyperf(content: Content) -> str:
    from loopstall.report.pyperf_json import to_pyperf  # an extra

    return to_pyperf(content.runs)


def _terminal(content: Content) -> str:
    from loopstall.analysis.content import digest
    from loopstall.report.terminal import results, verdicts_shown
    from loopstall.report.text import remarks
    from loopstall.report.trend import sentences, trend_table
    from loopstall.report.verdict_text import sentence

    out = io.StringIO()
    terminal = console(out, width=_WIDTH)
    made = digest(content)
    if content.verdicts:
        terminal.print(verdicts_shown(content.verdicts, made.skipped))
        terminal.print(f"{sentence(content.verdicts)}.", soft_wrap=True)
    else:
        terminal.print(results(made.summaries, made.skipped, width=_WIDTH))
    for text in remarks(content.runs):
        terminal.print(text, style="dim", soft_wrap=True)
    if content.trends:
        terminal.print(trend_table(content.trends))
        for text in sentences(content.trends):
            terminal.print(text, soft_wrap=True)
    return out.getvalue()


def checkout_root() -> Path:
    """Returns the checkout that annotations are relative to, the working directory outside of any."""
    with contextlib.suppress(InputError):
        return Checkout.find(Path.cwd(), lambda _: None).root
    return Path.cwd()


def write_page(folder: Path, content: Content) -> Path:
    """Writes the page of a results folder and what an index says of it.

    Raises:
        InputError: it cannot be written.
    """
    from loopstall.report.page.html import to_html  # jinja2 is for pages alone
    from loopstall.report.page.index import entry_of

    path = folder / _PAGE
    write_output(path, to_html(content))
    with contextlib.suppress(OSError):
        store.save_summary(folder, entry_of(content))
    return path


def write_index(root: Path) -> Path:
    """Writes the list of all results in a folder, the newest first.

    Raises:
        InputError: it cannot be written.
    """
    from loopstall.report.page.index import IndexEntry, entry_of, to_index  # jinja2 is for pages alone

    entries: dict[str, IndexEntry] = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        with contextlib.suppress(InputError):
            found = store.read_summary(folder, IndexEntry)
            if found is None and any((folder / name).is_file() for name in (store.PLAN_FILE, store.VERDICTS_FILE)):
                found = entry_of(content_of((folder,)))
                with contextlib.suppress(OSError):  # it is worked out again the next time
                    store.save_summary(folder, found)
            if found is not None:
                entries[folder.name] = found
    path = root / _PAGE
    write_output(path, to_index(entries, pages={name for name in entries if (root / name / _PAGE).is_file()}))
    return path
