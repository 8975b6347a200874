"""The option `--open`, of every command that writes a page."""

from collections.abc import Callable
from typing import Any

import click

__all__ = ["open_option"]

open_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--open", "open_", is_flag=True, help="Show the page in the browser when it is written."
)
