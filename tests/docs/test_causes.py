"""The programs of docs/causes.md: each stalls its loop for the reason that it stands for."""

import json
import re

from documents import ROOT
import pytest
from workshop import shell

pytestmark = [pytest.mark.once, pytest.mark.alone]

TEXT = (ROOT / "docs" / "causes.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `([\w-]+)`\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
PROGRAMS = {
    name: code[1] for name, text in SECTIONS.items() if (code := re.search(r"```python\n(.*?)```", text, re.DOTALL))
}
BUSY = {"cpu-python": "cpu", "cpu-native": "cpu"}
"""What is known of them on a machine that is so busy that nobody looked."""


def test_every_cause_has_its_section_with_what_to_do():
    table = (
        (ROOT / "docs" / "how-detection-works.md").read_text(encoding="utf-8").partition("## How the cause is told")[2]
    )
    causes = set(re.findall(r"^\| `([\w-]+)` \|", table.partition("\n## ")[0], re.MULTILINE))
    assert set(SECTIONS) == causes
    assert [name for name, text in SECTIONS.items() if name != "cpu" and "**What to do:**" not in text] == []
    assert set(PROGRAMS) == causes - {"cpu", "descheduled", "unknown"}  # which no program can make by itself


@pytest.mark.parametrize("cause", PROGRAMS)
def test_program_stalls_its_loop_for_that_cause(tmp_path, cause):
    (tmp_path / "program.py").write_text(PROGRAMS[cause])
    done = shell("loopstall watch --json-lines stalls.jsonl program.py", tmp_path)
    assert done.returncode == 0, done.stderr
    stalls = [json.loads(line)["stall"] for line in (tmp_path / "stalls.jsonl").read_text().splitlines()]
    longest = max(stalls, key=lambda stall: stall["duration_ns"])
    assert longest["cause"] in {cause, BUSY.get(cause)}, longest["rule"]
