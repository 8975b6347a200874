"""What explains the changes that no test notices is about the code of today, and what it does not explain fails."""

import inspect
from pathlib import Path
import pkgutil
import subprocess
import sys
import tomllib

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
ENTRIES = tomllib.loads((BENCH / "mutants.toml").read_text(encoding="utf-8"))["mutant"]

pytestmark = pytest.mark.once


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["function"])
def test_explained_lines_stand_in_the_function(entry):
    lines = [line.strip() for line in inspect.getsource(pkgutil.resolve_name(entry["function"])).splitlines()]
    assert entry["why"]
    for before, after in entry["changes"]:
        assert before != after
        assert set(before.split("\n")) <= set(lines), before


MUTMUT = """
import sys

results = {"killed": "a.x_f__mutmut_1", "survived": "a.x_f__mutmut_2", "timeout": "a.x_f__mutmut_3"}
if sys.argv[1] == "results":
    print("".join(f"    {name}: {status}\\n" for status, name in results.items()))
elif sys.argv[1] == "show":
    print(f"# it\\n--- a.py\\n+++ a.py\\n@@ -1,2 +1,2 @@\\n def f():\\n-    return 1\\n+    return {sys.argv[2][-1]}")
"""


@pytest.mark.parametrize(
    ("explained", "status", "part"),
    [
        ('function = "a.g"\nchanges = [["x", "y"]]', 1, "survived: a.f\n  - return 1\n  + return 2\n"),
        ('function = "a.f"\nchanges = [["return 1", "return 2"]]', 0, "0 not explained, 0 stale"),
        (
            'function = "a.f"\nchanges = [["return 1", "return 2"], ["old", "new"]]',
            1,
            "noticed or gone: a.f\n  - old\n",
        ),
    ],
)
def test_change_that_nobody_notices_fails_unless_it_is_explained(tmp_path, explained, status, part):
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "mutation.py").write_bytes((BENCH / "mutation.py").read_bytes())
    (tmp_path / "bench" / "mutants.toml").write_text(f'[[mutant]]\nwhy = "so"\n{explained}\n', encoding="utf-8")
    (tmp_path / "mutmut.py").write_text(MUTMUT, encoding="utf-8")
    words = (sys.executable, "bench/mutation.py")
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert part in done.stdout
    assert "3 changes of 1 function: 1 killed, 1 survived, 1 timeout" in done.stdout
