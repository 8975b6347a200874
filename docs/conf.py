"""How Sphinx builds the documentation site; `nox -s docs` does it."""

from typing import Any

from pygments.lexers.python import PythonLexer

from loopstall import __version__

project = "loopstall"
author = "The loopstall maintainers"
project_copyright = author
release = __version__

extensions = ["myst_parser", "sphinx_click", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["project/_*"]
suppress_warnings = ["myst.header"]  # the findings and decisions begin with headings of their own depth

html_theme = "furo"
html_title = "loopstall"
html_copy_source = False
html_show_sphinx = False
html_extra_path = ["report.schema.json", "stalls.schema.json"]  # at addresses that stay
html_static_path = ["static"]
html_css_files = ["site.css"]
pygments_style = "friendly"
pygments_dark_style = "native"

copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

linkcheck_anchors = False  # of pages that are written by scripts
linkcheck_timeout = 20


def _taken_as_it_stands(_app: Any, _context: Any, lines: list[str]) -> None:
    """Keeps a command's help from being read as markup: `uvicorn-*` begins no emphasis."""
    lines[:] = [line.replace("*", r"\*") for line in lines]


def setup(app: Any) -> None:
    """Connects what is above."""
    app.add_lexer("ipython", PythonLexer)  # its own lexer comes with IPython
    for part in ("description", "options", "arguments", "epilog"):
        app.connect(f"sphinx-click-process-{part}", _taken_as_it_stands)
