from pathlib import Path
import sys
from types import CodeType

import pytest

from loopstall.monitor import memory
from loopstall.monitor.line_table import line_starts

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="other Pythons keep lines in other ways")


def test_lines_are_those_that_python_tells():
    for code in codes(compile(Path(memory.__file__).read_text(encoding="utf-8"), "memory.py", "exec")):
        found = dict(line_starts(code.co_linetable, code.co_firstlineno))
        true = {start: line or 0 for start, _, line in code.co_lines()}
        assert {at: line for at, line in found.items() if at in true} == true


def codes(code):
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from codes(one)


def test_table_that_ends_within_an_entry_is_refused():
    with pytest.raises(IndexError):
        list(line_starts(bytes([0x80 | 14 << 3]), 1))
