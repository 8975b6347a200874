"""Advice in the formats of `loopstall report`: for a terminal, as Markdown, as JSON, as a page."""

from collections.abc import Callable, Mapping

from loopstall.advice.words import told
from loopstall.errors import InputError
from loopstall.records import Advice
from loopstall.report.escape import markdown_text
from loopstall.results.advice_file import to_json

__all__ = ["rendered"]

_FENCE = "`" * 3


def _terminal(advice: Advice) -> str:
    return f"{told(advice)}\n"


def _markdown(advice: Advice) -> str:
    first, _, rest = told(advice).partition("\n")
    return f"### {markdown_text(first)}\n\n{_FENCE}text\n{rest.strip().replace(_FENCE, chr(39) * 3)}\n{_FENCE}\n"


def _html(advice: Advice) -> str:
    from loopstall.report.page.text_page import to_page  # jinja2 is for pages alone

    return to_page(f"loopstall advise {advice.target}", told(advice), label="The figures and the code")


_FORMATS: Mapping[str, Callable[[Advice], str]] = {
    "html": _html,
    "markdown": _markdown,
    "terminal": _terminal,
    "json": to_json,
}


def rendered(form: str, advice: Advice) -> str:
    """Renders advice.

    Args:
        form: ``html``, ``markdown``, ``terminal`` or ``json``.
        advice: the advice.

    Raises:
        InputError: advice has no such format.
    """
    if form not in _FORMATS:
        raise InputError(f"advice has no {form}, which is of measured runs; choose {', '.join(_FORMATS)}")
    return _FORMATS[form](advice)
