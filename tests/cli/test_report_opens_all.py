"""Every kind of file that a command or the pytest plugin writes: written by it, and given to ``loopstall report``.

What is opened is shown; of what is for another program or for a reader it is said in a sentence what that is. The kinds
are those of the commands' own tables of formats, so that a new one fails here until it is known.
"""

import json
import os
import subprocess
import sys

import click
from helpers import loopstall, write_workloads
import pytest

from loopstall.advice import rendered
from loopstall.cli import history
from loopstall.cli.entry import _loopstall
from loopstall.report import formats
from loopstall.results import outputs

pytestmark = pytest.mark.once

PAGE, MARKDOWN, TEXT = "is a page already: open it in a browser", "is Markdown, for a comment", "is text and no JSON"
JUNIT, GITHUB = "is JUnit XML, which a CI server shows", "is annotations, which GitHub shows"
SPEEDSCOPE, TRACE = (
    "is a profile for speedscope, https://www.speedscope.app opens it",
    "https://ui.perfetto.dev opens it",
)
PYPERF, CSV = "which `loopstall compare` reads", "as CSV, for a spreadsheet or pandas"
OTAVA = "is the configuration of Apache Otava: run `otava analyze` in its folder"
SAID = {
    "html": PAGE, "markdown": MARKDOWN, "terminal": TEXT, "junit": JUNIT, "github": GITHUB, "speedscope": SPEEDSCOPE,
    "trace": TRACE, "pyperf": PYPERF, "csv": CSV, "otava": OTAVA,
}  # fmt: skip
"""What is said of each format that is not opened; JSON is opened."""

SHOWN = {
    "result": "1 of 2 cells is a trap: the worst, mine under asyncio/inline",
    "gate": "2 inconclusive.",
    "stalls": "app.py:5 in stalls",
    "advice": "for app.py:stalls",
    "dump": "waits for events",
}
WRITERS = {
    ("advise", "--output"), ("accept", "--file"), ("compare", "--output"), ("dump", "--json"), ("gate", "--format"),
    ("gate", "--output"), ("gate", "--results"), ("history add", "--file"), ("history show", "--file"),
    ("history show", "--format"), ("history show", "--output"), ("report", "--format"), ("report", "--output"),
    ("run", "--output"), ("serve-bench", "--output"), ("watch", "--json-lines"), ("watch", "--output"),
}  # fmt: skip
"""The options that name a file, a folder or a format to write."""

PROGRAM = """
import asyncio, sys, time

def stalls(seconds=0.15):
    time.sleep(seconds)

async def main():
    stalls()

async def waits():
    print("up", flush=True)
    await asyncio.sleep(600)

if __name__ == "__main__":
    asyncio.run(waits() if sys.argv[1:] else main())
"""
JOB = """
@workload
def mine(seed):
    time.sleep(0.06)
    return seed

mine.verify(ok)
"""


def done(*words, cwd, codes=(0,), **extra):
    """Runs a command that has to end well."""
    process = loopstall(*words, cwd=cwd, **extra)
    assert process.returncode in codes, (words, process.stdout, process.stderr)
    return process


def under_pytest(*words, cwd):
    """Runs pytest with the plugin of loopstall's alone."""
    words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "loopstall.pytest_plugin", *words)
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    process = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A project with a result, its JSON, a report of stalls, advice and a history, each by its own command."""
    folder = tmp_path_factory.mktemp("writes")
    (folder / "app.py").write_text(PROGRAM)
    (folder / "test_app.py").write_text("import asyncio, app\n\ndef test_it():\n    asyncio.run(app.main())\n")
    write_workloads(folder, JOB)
    words = ("-s", "asyncio", "-s", "to_thread", "--jobs", 2, "--concurrency", 1, "--processes", 2, "-o", "out")
    done("run", "mine.py", *words, cwd=folder, codes=(0, 1))
    done("watch", "-o", "stalls.json", "app.py", cwd=folder)
    done("history", "add", "out", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def advice(here):
    done("advise", "app.py:stalls", "--args", "[0.01]", "--max-seconds", "10s", "-o", "advice.json", cwd=here,
         codes=(0, 5))  # fmt: skip
    return "advice.json"


@pytest.fixture(scope="module")
def dumped(here):
    if sys.platform != "linux":
        pytest.skip("only Linux shows a process the memory of another one")
    with subprocess.Popen([sys.executable, "app.py", "waits"], cwd=here, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        (here / "dump.json").write_text(done("dump", process.pid, "--json", cwd=here).stdout)
        process.kill()
    return "dump.json"


def opens(here, file, form, kind):
    """Gives a file to ``report``: JSON is shown and written again alike, everything else answered in a sentence."""
    process = loopstall("report", file, "--format", "terminal" if form == "json" else "html", cwd=here)
    if form != "json":
        assert (process.returncode, process.stderr.count("\n")) == (2, 1), process.stderr
        assert SAID[form] in process.stderr
        return
    assert process.returncode == 0, process.stderr
    assert SHOWN[kind] in process.stdout
    assert done("report", file, "-o", f"{file}.html", cwd=here).stdout == f"{file}.html\n"


@pytest.mark.parametrize("form", formats.FORMATS)
def test_result_in_every_format(here, form):
    if form == "pyperf":
        pytest.importorskip("pyperf")
    done("report", "out", "--format", form, "-o", f"result.{form}", cwd=here)
    opens(here, f"result.{form}", form, "result")


@pytest.fixture(scope="module")
def judged(here):
    asked = [word for form in outputs.FORMATS for word in ("--format", form, "-o", f"gate.{form}")]
    words = ("--against", "out", "--candidate-results", "out", "--inconclusive", "pass")
    done("gate", "mine.py", *words, *asked, cwd=here, codes=(0, 5))


@pytest.mark.parametrize("form", outputs.FORMATS)
def test_gate_in_every_format(here, judged, form):
    if form == "github":  # nothing regressed, so that there is no annotation
        assert "gate.github is empty" in loopstall("report", "gate.github", cwd=here).stderr
        return
    opens(here, f"gate.{form}", form, "gate")


@pytest.mark.parametrize("end", formats.STALL_FORMATS)
def test_watch_by_every_ending(here, end):
    done("watch", "-o", f"watch{end}", "app.py", cwd=here)
    opens(here, f"watch{end}", formats.STALL_FORMATS[end], "stalls")


@pytest.mark.parametrize("end", {form: end for end, form in formats.STALL_FORMATS.items()}.values())
def test_pytest_in_every_format(here, end):
    under_pytest("--stall-report", f"pytest{end}", cwd=here)
    opens(here, f"pytest{end}", formats.STALL_FORMATS[end], "stalls")


@pytest.mark.parametrize("form", formats._STALLS)
def test_stalls_in_every_format(here, form):
    done("report", "stalls.json", "--format", form, "-o", f"stalls.{form}", cwd=here)
    opens(here, f"stalls.{form}", form, "stalls")


@pytest.mark.parametrize("form", rendered._FORMATS)
def test_advice_in_every_format(here, advice, form):
    done("report", advice, "--format", form, "-o", f"advice.out.{form}", cwd=here)
    opens(here, f"advice.out.{form}", form, "advice")


@pytest.mark.parametrize("form", formats._DUMPS)
def test_dump_in_every_format(here, dumped, form):
    done("report", dumped, "--format", form, "-o", f"dump.out.{form}", cwd=here)
    opens(here, f"dump.out.{form}", form, "dump")


@pytest.mark.parametrize("form", history._FORMATS)
def test_history_in_every_format(here, form):
    name = "otava" if form == "otava" else f"history.{form}"
    done("history", "show", "--format", form, "-o", name, cwd=here)
    opens(here, f"{name}/otava.yaml" if form == "otava" else name, form, "")


def test_history_and_what_is_accepted_are_named(here):
    (here / "loopstall-accepted.toml").unlink(missing_ok=True)
    under_pytest("--stall-budget", "20ms", "--stall-baseline", "write", cwd=here)
    with (here / "dashboard.json").open("w") as file:
        subprocess.run([sys.executable, "-m", "loopstall.integrations.grafana"], cwd=here, stdout=file, check=True)
    done("history", "show", "--format", "otava", "-o", "series", cwd=here)
    series = next((here / "series").glob("*.csv")).relative_to(here)
    said = {
        "loopstall-history.sqlite": "is a history: loopstall history show --file loopstall-history.sqlite",
        "loopstall-accepted.toml": "commit it, for gate and the pytest plugin read it",
        "dashboard.json": "import it in Grafana",
        series: "is a series for Apache Otava",
    }
    for file, sentence in said.items():
        process = loopstall("report", file, cwd=here)
        assert (process.returncode, process.stderr.count("\n")) == (2, 1), process.stderr
        assert sentence in process.stderr
    (here / "loopstall-accepted.toml").unlink()


def test_comparison_is_a_page(here):
    done("compare", "out", "out", "-o", "compared.html", cwd=here, codes=(0, 5))
    opens(here, "compared.html", "html", "")


def test_json_lines_are_shown(here):
    done("watch", "--json-lines", "lines.txt", "app.py", cwd=here)
    opens(here, "lines.txt", "json", "stalls")


def test_every_file_of_a_results_folder_opens(here):
    files = [path.relative_to(here) for path in (here / "out").rglob("*.json")]
    assert {path.name for path in files} >= {"plan.json", "summary.json"}
    for file in files:
        shown = done("report", file, "--format", "terminal", cwd=here).stdout
        assert "mine" in shown, file


def test_report_that_was_read_is_the_same_as_data_and_has_no_format_of_single_runs(here):
    done("report", "out", "--format", "json", "-o", "first.json", cwd=here)
    done("report", "first.json", "--format", "json", "-o", "second.json", cwd=here)
    first, second = (json.loads((here / f"{name}.json").read_text()) for name in ("first", "second"))
    assert first == second
    texts = [done("report", name, "--format", "junit", cwd=here).stdout for name in ("out", "first.json")]
    assert texts[0] == texts[1]
    for form in formats._OF_RUNS:
        process = loopstall("report", "first.json", "--format", form, cwd=here)
        assert (process.returncode, process.stderr.count("\n")) == (2, 1)
        assert f"{form} is made of runs" in process.stderr


def test_options_that_write_are_those_that_are_tested_here():
    found, writing = set(), {word for _, word in WRITERS}

    def walk(command, name):
        for child, one in getattr(command, "commands", {}).items():
            walk(one, f"{name} {child}".strip())
        for option in command.params:
            if isinstance(option, click.Option):
                found.update((name, word) for word in option.opts if word in writing)

    context = click.Context(_loopstall)
    for child in _loopstall.list_commands(context):
        walk(_loopstall.get_command(context, child), child)
    assert found == WRITERS
