"""Pages in a results folder, and the index of all results."""

import contextlib
from pathlib import Path

from loopstall.analysis.content import Digest, digest
from loopstall.errors import InputError
from loopstall.records.files import write_output
from loopstall.results import store
from loopstall.results.content import content_of

__all__ = ["REPORTS", "write_index", "write_page"]

REPORTS = Path("reports")
"""The default folder of results."""

_PAGE = "index.html"


def write_page(folder: Path, made: Digest) -> Path:
    """Writes the page of a results folder and what an index says of it; brings the index up to date.

    Raises:
        InputError: it cannot be written.
    """
    from loopstall.report.page.html import to_html  # jinja2 is for pages alone
    from loopstall.report.page.index import entry_of

    path = folder / _PAGE
    write_output(path, to_html(made))
    with contextlib.suppress(OSError):
        store.save_summary(folder, entry_of(made))
    if folder.parent == REPORTS:
        write_index(REPORTS)
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
                found = entry_of(digest(content_of((folder,))))
                with contextlib.suppress(OSError):  # it is worked out again the next time
                    store.save_summary(folder, found)
            if found is not None:
                entries[folder.name] = found
    path = root / _PAGE
    write_output(path, to_index(entries, pages={name for name in entries if (root / name / _PAGE).is_file()}))
    return path
