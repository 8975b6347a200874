"""Shows a page in the browser."""

from pathlib import Path

from loopstall.report.output import say

__all__ = ["open_page"]


def open_page(page: Path | None) -> None:
    """Opens a page in the browser, and says so where there is none or no browser.

    Args:
        page: the file; None where the command has written no page.
    """
    import webbrowser  # `loopstall --help` starts without it

    if page is None:
        say("loopstall: --open has nothing to open: no page was written", err=True)
        return
    try:
        opened = webbrowser.open(page.resolve().as_uri())
    except (OSError, webbrowser.Error):
        opened = False
    if not opened:
        say(f"loopstall: there is no browser to open the page with; it is {page.resolve()}", err=True)
