"""Each example has one trap, and ``loopstall watch`` names its line."""

import importlib.util
import json
from pathlib import Path
import re

from documents import ROOT
import pytest
from workshop import shell

pytestmark = [pytest.mark.once, pytest.mark.alone]

FOLDER = ROOT / "examples"
EXAMPLES = {
    "fastapi_shop": (("fastapi", "uvicorn"), "hash_password", {"cpu-native"}),
    "starlette_sales": (("starlette", "uvicorn"), "add_up", {"cpu-python", "cpu-native"}),
    "aiohttp_weather": (("aiohttp",), "weather", {"blocking-call"}),
    "django_invoices": (("django", "uvicorn"), "invoices", {"cpu-python", "cpu-native"}),
    "chat_bot": ((), "is_question", {"cpu-native"}),
    "queue_worker": ((), "convert", {"blocking-call"}),
}
"""What each needs, the function that is to blame, and the cause; ``cpu`` where a busy machine let nobody look."""


def test_every_example_is_tested_and_stands_in_the_table():
    names = {path.stem for path in FOLDER.glob("*.py")} - {"visitors"}
    assert names == set(EXAMPLES)
    table = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `examples/(\w+)\.py` \|", table, re.MULTILINE)) == names


@pytest.mark.parametrize("name", EXAMPLES)
def test_watch_names_the_line_of_the_trap(tmp_path, name):
    needs, function, causes = EXAMPLES[name]
    for module in needs:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed; the dependency group servers has it")
    done = shell(f"loopstall watch --json-lines {tmp_path}/stalls.jsonl examples/{name}.py", ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    stalls = [json.loads(line)["stall"] for line in (tmp_path / "stalls.jsonl").read_text().splitlines()]
    named = [stall for stall in stalls if (stall["culprit"] or {}).get("function") == function]
    assert named, stalls
    longest = max(named, key=lambda stall: stall["duration_ns"])
    assert Path(longest["culprit"]["file"]).name == f"{name}.py"
    assert longest["cause"] in causes | {"cpu"}, longest["rule"]
    lines = (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines, 1) if "# the trap" in line)
    if name == "fastapi_shop":  # its trap is a call, and the line to blame what is called
        assert "pbkdf2_hmac" in lines[longest["culprit"]["line"] - 1]
    elif name == "starlette_sales":  # a loop is met at either of its lines
        assert abs(longest["culprit"]["line"] - at) <= 1
    else:
        assert longest["culprit"]["line"] == at
