"""Text that says what it should not, and the judges of what comes of it."""

import csv
import io
import json
import re
from xml.etree import ElementTree as ET

NASTY = "a\n::error::pwned\r\x1b[2J##[error]x \u202e\"'`|<b></script>\x9b31m\0=1+1"


def unseen(text):
    """What of a text is a control character, an escape sequence or a mark that turns text around, but for newlines."""
    return {char for char in text if not char.isprintable() and char != "\n"}


def obeyed(text):
    """The lines that a CI server takes for its commands, by the rules of GitHub's runner and of Azure Pipelines."""
    lines = re.split(r"\r\n|\r|\n", text)
    return [line for line in lines if line.lstrip().startswith("::") or re.search(r"##\w*\[", line)]


def harmless(text):
    assert unseen(text) == set()
    assert obeyed(text) == []
    return text


def read_back(form, made):
    """Reads a format as those do for whom it is."""
    if form == "junit":
        ET.fromstring(made)  # noqa: S314  # our own
    elif form in {"json", "speedscope", "trace", "pyperf"}:
        json.loads(made)
    elif form == "csv":
        rows = list(csv.reader(io.StringIO(made)))
        assert len({len(row) for row in rows}) == 1
        assert not any(re.match(r"\s*[=@]", field) for row in rows for field in row)
        assert not any(re.match(r"\s*[+-]\D", field) for row in rows for field in row)


def annotations_alone(made, count):
    lines = made.splitlines()
    assert len(lines) == count
    assert all(re.match(r"::(error|warning) (file=[^,:]*,)?(line=\d+,)?title=[^,:]*::", line) for line in lines)
    assert unseen(made) == set()
