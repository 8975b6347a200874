"""Changes the code in small ways, one at a time, and asks the tests which of the changes they notice, by mutmut.

[tool.mutmut] in pyproject.toml names what is changed and the tests that are asked. A change that no test notices fails
unless bench/mutants.toml says why no test need notice it, and so does an explanation of what is noticed by now. Run it
with: python bench/mutation.py ['loopstall.stats.median*' ...]
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tomllib

ROOT = Path(__file__).resolve().parent.parent
EXPLAINED = Path(__file__).with_name("mutants.toml")
_NOTICED = {"killed", "segfault"}  # a timeout is as well, unless the change is explained as one that only takes longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A change of a function: its lines without white space around them, before and after."""

    function: str
    before: str
    after: str


def mutmut(*words: str, check: bool = True) -> str:
    """Runs mutmut in the checkout and returns what it printed.

    Raises:
        SystemExit: it failed.
    """
    command = [sys.executable, "-m", "mutmut", *words]
    variables = {**os.environ, "CI": "1"}  # hypothesis tries the same examples for every change
    done = subprocess.run(
        command, cwd=ROOT, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if check and done.returncode:
        raise SystemExit(f"mutmut {' '.join(words)} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def function_of(name: str) -> str:
    """Returns the dotted name of a mutant's function: ``a.b.x_f__mutmut_3`` is one of ``a.b.f``."""
    module, _, last = name.rpartition("__mutmut_")[0].rpartition(".")
    method = re.fullmatch(r"xǁ(\w+)ǁ(\w+)", last)
    return f"{module}.{method[1]}.{method[2]}" if method else f"{module}.{last.removeprefix('x_')}"


def shown(name: str) -> Mutant:
    """Returns a mutant by its name."""
    changed: dict[str, list[str]] = {"-": [], "+": []}
    for line in mutmut("show", name).splitlines():
        if line[:1] in changed and line[:3] not in {"---", "+++"}:
            changed[line[0]].append(line[1:].strip())
    return Mutant(function=function_of(name), before="\n".join(changed["-"]), after="\n".join(changed["+"]))


def results(patterns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the mutants that were tried: name and what came of it."""
    for line in mutmut("results", "--all", "true").splitlines():
        name, _, status = line.strip().partition(": ")
        if status and any(fnmatch(name, pattern) for pattern in patterns):
            yield name, status


def explained() -> dict[Mutant, str]:
    """Returns the mutants that no test need notice, with the reasons."""
    entries = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["mutant"]
    return {
        Mutant(function=entry["function"], before=before, after=after): entry["why"]
        for entry in entries
        for before, after in entry["changes"]
    }


def main() -> int:
    """Runs mutmut and judges what no test has noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", default=["*"], help="of the mutants to try")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many are tried at a time")
    given = parser.parse_args()
    shutil.rmtree(ROOT / "mutants", ignore_errors=True)  # it would take a verdict on other tests for today's
    mutmut("run", "--max-children", str(given.jobs), *given.patterns)
    slow = [name for name, status in results(given.patterns) if status == "timeout"]
    if slow:  # a busy machine makes tests late that would have ended
        mutmut("run", "--max-children", "1", *slow)
    tried = dict(results(given.patterns))
    if not tried:
        print(f"no change of the code fits {' '.join(given.patterns)}; give names like 'loopstall.stats.median*'")
        return 1
    reasons = explained()
    unnoticed = {shown(name): status for name, status in tried.items() if status not in _NOTICED}
    left = {mutant: status for mutant, status in unnoticed.items() if mutant not in reasons and status != "timeout"}
    functions = {function_of(name) for name in tried}
    stale = [mutant for mutant in reasons if mutant.function in functions and mutant not in unnoticed]
    for mutant, status in left.items():
        print(f"{status}: {mutant.function}\n  - {mutant.before}\n  + {mutant.after}")
    for mutant in stale:
        print(f"explained, but noticed or gone: {mutant.function}\n  - {mutant.before}\n  + {mutant.after}")
    counts = ", ".join(f"{count} {status}" for status, count in Counter(tried.values()).most_common())
    of = f"{len(functions)} function{'s' * (len(functions) != 1)}"
    print(f"{len(tried)} changes of {of}: {counts}; {len(left)} not explained, {len(stale)} stale")
    return 1 if left or stale else 0


if __name__ == "__main__":
    sys.exit(main())
