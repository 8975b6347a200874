"""The code that advice gives to paste: it runs as it is, and mypy checks what lies in typing_tests/pasted."""

import os
from pathlib import Path
import re
import subprocess
import sys

import pytest

from loopstall.advice import words

TARGET = "loopstall.records.units:format_ns"
PASTED = Path(__file__).parents[1] / "typing_tests" / "pasted"
PROGRAM = """
import asyncio
import app

async def main():
    {before}
    print(await app.handler(5_000_000.0))

if __name__ == "__main__":
    asyncio.run(main())
"""
BEFORE = {"processes": "await app.start()", "task queue": "app.queue.conf.task_always_eager = True"}
CHOICES = ("inline", "async", "to_thread", "processes", "task queue", "native code")


@pytest.mark.parametrize("choice", CHOICES)
def test_code_to_paste_runs_as_it_is(tmp_path, choice):
    if choice == "task queue":
        pytest.importorskip("celery", reason="the code is for Celery")
        pytest.importorskip("redis", reason="with Redis")
    (tmp_path / "your_module.py").write_text(
        "from loopstall.records.units import format_ns\nasync def format_ns_async(value): return format_ns(value)\n"
    )
    target = "format_ns[value=1]" if choice == "async" else TARGET
    (tmp_path / "app.py").write_text(words.code_for(choice, target))
    (tmp_path / "program.py").write_text(PROGRAM.format(before=BEFORE.get(choice, "pass")))
    done = subprocess.run(
        [sys.executable, "-W", "error", "program.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        r"\{'result': '/results/[-\w]+'\}" if choice == "task queue" else "5.00 ms", done.stdout.strip()
    )


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if choice != "async"])
def test_code_whose_types_are_checked_is_the_code_to_paste(choice):
    assert (PASTED / f"{choice.replace(' ', '_')}.py").read_text() == words.code_for(choice, TARGET)


@pytest.mark.parametrize("choice", CHOICES)
def test_code_to_paste_uses_public_names_alone(choice):
    assert not re.search(r"\._[a-z]", words.code_for(choice, TARGET))


@pytest.mark.parametrize(
    ("target", "imported"),
    [
        ("shop.prices:total", "from shop.prices import total"),
        ("loose/prices.py:total", "from loose.prices import total"),
        ("src/shop/prices.py:Price.total", "from shop.prices import Price"),
    ],
)
def test_module_is_imported_by_the_name_that_programs_use(tmp_path, target, imported):
    package = tmp_path / "src" / "shop"
    for folder in (package, tmp_path / "loose"):
        folder.mkdir(parents=True)
        (folder / "prices.py").touch()
    (package / "__init__.py").touch()
    assert f"{imported}\n" in words.code_for("to_thread", target)
