"""The page of a live view: one document that asks its server for the figures, and loads nothing else."""

import base64
import hashlib
from importlib.resources import files
from string import Template

__all__ = ["live_page", "policy"]


def _part(name: str) -> str:
    return files("loopstall.report.page").joinpath("templates", name).read_text(encoding="utf-8").strip()


def live_page() -> str:
    """Returns the page; nothing in it comes from outside."""
    return Template(_part("live.html")).substitute(style=_style(), script=_part("live.js"))


def policy() -> str:
    """Returns the Content-Security-Policy by which a browser runs what is in the page, and nothing else."""
    style, script = (_hash(f"\n{text}\n") for text in (_style(), _part("live.js")))
    return (
        f"default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _style() -> str:
    return f"{_part('page.css')}\n{_part('live.css')}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
