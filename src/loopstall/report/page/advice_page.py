"""Advice as a page: what to do, the figures that it rests on, and the code to paste."""

from loopstall.report.page.html import environment

__all__ = ["to_page"]


def to_page(target: str, text: str) -> str:
    """Renders one self-contained page.

    Args:
        target: the function, as the user named it.
        text: the advice in words, in lines; the first one is the recommendation.
    """
    first, _, rest = text.partition("\n")
    return (
        environment()
        .get_template("advice_page.html.j2")
        .render(title=f"loopstall advise {target}", verdict=first, rest=rest.strip("\n"))
    )
