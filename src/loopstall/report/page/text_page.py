"""Lines of text as a page, the first of them as its verdict: advice, and what the loops of a process did."""

from loopstall.report.page.html import environment

__all__ = ["to_page"]


def to_page(title: str, text: str, *, label: str) -> str:
    """Renders one self-contained page.

    Args:
        title: its heading.
        text: in lines; the first one is the verdict.
        label: what the lines after it are, for a screen reader.
    """
    first, _, rest = text.partition("\n")
    return (
        environment()
        .get_template("text_page.html.j2")
        .render(title=title, verdict=first, rest=rest.strip("\n"), label=label)
    )
