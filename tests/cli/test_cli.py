"""The command line, driven as a user does."""

import json
import os
import re
import subprocess
import sys

from helpers import loopstall, write_workloads
import pytest

import loopstall as loopstall_package
from loopstall.cli import run as run_command
from loopstall.results import store
from loopstall.stats.ratio import MIN_RUNS

ECHO = """
@workload
def echo(seed):
    return seed
echo.verify(ok)
"""

BLOCKER = """
@workload
def blocker(seed):
    time.sleep(0.08)
    return seed
blocker.verify(ok)
"""

SHORT = ("--jobs", 4, "--concurrency", 2, "--processes", 1, "-o", "out")


def test_help_lists_commands_and_exit_codes(tmp_path):
    done = loopstall("--help", cwd=tmp_path)
    assert done.returncode == 0
    for word in ("list", "run", "compare", "report", "Exit codes"):
        assert word in done.stdout


def test_help_starts_without_what_it_does_not_need(tmp_path):
    code = (
        "import sys, loopstall.cli\n"
        "try: loopstall.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    for module in ("pandas", "numpy", "scipy", "rich", "jinja2", "msgspec", "asyncio", "uvloop", "pyperf"):
        assert f"'{module}'" not in done.stderr, module


def test_monitor_imports_the_standard_library_alone(tmp_path):
    code = (
        "import sys, loopstall.monitor\n"
        "names = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(n for n in names if n not in sys.stdlib_module_names and not n.startswith('_')))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}"],
                          cwd=tmp_path, capture_output=True, text=True, check=True)  # fmt: skip
    assert json.loads(done.stdout.replace("'", '"')) == ["loopstall"]


def test_list_shows_what_there_is_and_what_it_stands_for(tmp_path):
    done = loopstall("list", cwd=tmp_path)
    assert done.returncode == 0
    for word in ("blocking_sleep (control)", "variant=pbkdf2", "fsync=True", "uvloop", "to_thread", "no async version"):
        assert word in done.stdout


def test_run_measures_saves_and_shows(tmp_path):
    write_workloads(tmp_path, ECHO)
    done = loopstall("run", "mine.py", "-s", "asyncio", "-s", "threads", "-s", "processes", "--jobs", 500,
                     "--processes", 1, "-o", "out", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert " 3 cells" in done.stdout
    assert "outside the measured load" in done.stdout
    assert "Page: out/index.html" in done.stdout
    found = store.load([tmp_path / "out"])
    assert {str(run.cell.strategy) for run in found.runs} == {"asyncio/inline", "asyncio/threads", "asyncio/processes"}
    for run in found.runs:
        assert run.measured.jobs == 500
        assert run.measured.peak_memory_bytes > 1 << 20
        assert run.environment.cores >= 1
    assert sum(run.measured.cpu_user_ns + run.measured.cpu_system_ns for run in found.runs) > 0
    assert any(run.measured.priming_ns > 10**6 for run in found.runs if run.cell.strategy.dispatch == "processes")
    assert (tmp_path / "out" / "index.html").read_text().startswith("<!doctype html>")


def test_run_in_a_wide_terminal_has_workload_rows_and_strategy_columns(tmp_path):
    write_workloads(tmp_path, ECHO)
    env = {**os.environ, "COLUMNS": "140"}
    done = loopstall("run", "mine.py", "-s", "asyncio", "-s", "async", *SHORT, cwd=tmp_path, env=env)
    assert "workload" in done.stdout
    assert "n/a: the workload" in done.stdout
    assert "p99" in done.stdout


def test_open_load_is_measured(tmp_path):
    write_workloads(tmp_path, ECHO)
    done = loopstall("run", "mine.py", "-s", "asyncio", "--rate", 500, "--jobs", 20, "--processes", 1, "-o", "out",
                     cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    (run,) = store.load([tmp_path / "out"]).runs
    assert (run.measured.jobs, run.cell.load.rate) == (20, 500)


def test_trap_is_marked_and_fails_only_a_budget_that_was_asked_for(tmp_path):
    write_workloads(tmp_path, BLOCKER)
    done = loopstall("run", "mine.py", "-s", "asyncio", *SHORT, cwd=tmp_path)
    assert done.returncode == 0
    assert "▲ TRAP" in done.stdout
    again = loopstall("run", "mine.py", "-s", "asyncio", *SHORT[:-1], "again", "--budget", "50ms", cwd=tmp_path)
    assert again.returncode == 1
    stall = max(store.load([tmp_path / "out"]).runs[0].measured.stalls, key=lambda s: s.duration_ns)
    assert (stall.culprit.file, stall.culprit.function) == (str(tmp_path / "mine.py"), "blocker")


def test_settings_come_from_pyproject_and_options_override_them(tmp_path):
    write_workloads(tmp_path, BLOCKER)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.loopstall]\nprocesses = 2\nstrategy = ["asyncio"]\nbudget = { stall = "10ms" }\n'
    )
    done = loopstall("run", "mine.py", "--jobs", 2, "--concurrency", 1, "-o", "out", cwd=tmp_path)
    assert done.returncode == 1
    found = store.load([tmp_path / "out"])
    assert len(found.runs) == 2
    assert found.plan.budget_stall_ns == 10_000_000
    done = loopstall("run", "mine.py", "--jobs", 2, "--processes", 1, "--budget", "30s", "--availability", 0, "-o",
                     "other", cwd=tmp_path)  # fmt: skip
    assert (done.returncode, len(store.load([tmp_path / "other"]).runs)) == (0, 1)


def test_misspelt_setting_is_refused(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.loopstall]\nproceses = 2\n")
    done = loopstall("run", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'processes'" in done.stderr


def test_nothing_to_measure_is_neither_pass_nor_fail(tmp_path):
    done = loopstall("run", "hashing", "-s", "async", cwd=tmp_path)
    assert done.returncode == 5
    assert "no async version" in done.stdout
    assert not (tmp_path / "reports").exists()


def test_results_go_to_reports_by_default(tmp_path):
    write_workloads(tmp_path, ECHO)
    done = loopstall("run", "mine.py", "-s", "asyncio", *SHORT[:-2], cwd=tmp_path)
    assert done.returncode == 0
    (folder,) = (path for path in (tmp_path / "reports").iterdir() if path.is_dir())
    assert folder.name.endswith("-echo")


def test_workload_has_a_budget_of_its_own_in_the_settings(tmp_path):
    write_workloads(tmp_path, BLOCKER)
    settings = tmp_path / "pyproject.toml"
    settings.write_text('[tool.loopstall.workload.blocker]\nstall = "20s"\navailability = 0\n')
    done = loopstall("run", "mine.py", "-s", "asyncio", *SHORT[:-2], "-o", "large", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "TRAP" not in done.stdout
    assert "of blocker, 20.0 s and 0%" in (tmp_path / "large" / "index.html").read_text()
    settings.write_text('[tool.loopstall.workload.blocker]\nstall = "2ms"\n')
    done = loopstall("run", "mine.py", "-s", "asyncio", *SHORT[:-2], "-o", "small", cwd=tmp_path)
    assert done.returncode == 1, done.stdout  # a budget in the settings is one that was asked for


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    write_workloads(folder, ECHO + BLOCKER)
    slow = (folder / "mine.py").read_text().replace("return seed\necho", "time.sleep(0.02)\n    return seed\necho")
    (folder / "slow").mkdir()
    (folder / "slow" / "mine.py").write_text(slow)
    for name, file in (("base", "mine.py"), ("head", "slow/mine.py")):
        words = ("-s", "asyncio", "--jobs", 4, "--concurrency", 1, "--processes", 4, "-o", name)
        assert loopstall("run", file, *words, cwd=folder).returncode == 0
    return folder


def test_compare_names_the_cell_that_got_worse(measured):
    done = loopstall("compare", "base", "head", "--noise", "50%", cwd=measured, env={**os.environ, "COLUMNS": "160"})
    assert done.returncode == 1, done.stdout
    lines = done.stdout.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("echo · "))
    assert any("time per job" in line and line.endswith("regressed") for line in map(str.rstrip, lines[at : at + 4]))
    assert not any("blocker" in line for line in lines[: at + 4])


def test_compare_writes_a_page_with_both_distributions(measured):
    done = loopstall("compare", "base", "head", "--noise", "50%", "-o", "new/page.html", cwd=measured)
    assert done.returncode == 1, done.stderr
    assert done.stdout.endswith(f"new{os.sep}page.html\n")
    page = (measured / "new" / "page.html").read_text(encoding="utf-8")
    assert re.search(r"Of 2 cells: [12] got worse", page)  # beside other tests even the one that is as it was may be
    assert page.count('class="dot"') == 2 * 5 * 2 * 4
    wrong = loopstall("compare", "base", "head", "-o", "page.txt", cwd=measured)
    assert wrong.returncode == 2
    assert "page.txt does not end in .html or .htm" in wrong.stderr


def test_compare_of_a_result_with_itself_is_fine(measured):
    done = loopstall("compare", "base", "base", cwd=measured)
    assert done.returncode == 0
    assert "ok" in done.stdout


def test_compare_of_too_few_runs_is_inconclusive(measured, tmp_path):
    write_workloads(tmp_path, ECHO)
    assert loopstall("run", "mine.py", "-s", "asyncio", *SHORT, cwd=tmp_path).returncode == 0
    done = loopstall("compare", "out", "out", cwd=tmp_path)
    assert done.returncode == 5
    (line,) = (line for line in done.stdout.splitlines() if "an interval needs" in line)
    assert line.startswith("Inconclusive, echo · asyncio/inline: 1 run against 1")
    assert line.endswith("Measure both sides again with: loopstall run mine.py --processes 4")


@pytest.mark.once
def test_quick_run_makes_enough_runs_to_be_compared_where_the_cells_are_few():
    few, many = (
        run_command._plan(run_command.command.make_context("run", ["--quick", "hashing", *words]).params)
        for words in (["-s", "asyncio"], [])
    )
    assert len(few.cells) <= 26 < len(many.cells)
    assert few.processes >= MIN_RUNS > many.processes


def test_report_writes_a_page_of_folders_and_of_single_files(measured):
    assert loopstall("report", "base", "-o", "page.html", cwd=measured).returncode == 0
    file = min((measured / "base" / "runs").iterdir())
    assert loopstall("report", file, "-o", "one.html", cwd=measured).returncode == 0
    assert "blocker" in (measured / "page.html").read_text()
    assert "</html>" in (measured / "one.html").read_text()


def test_pyperf_reads_the_export(measured):
    pytest.importorskip("pyperf", reason="pyperf is an extra")
    for name in ("base", "head"):
        done = loopstall("report", name, "--format", "pyperf", "-o", f"{name}.json", cwd=measured)
        assert done.returncode == 0, done.stderr
    for words in (("stats", "base.json"), ("compare_to", "base.json", "head.json")):
        done = subprocess.run([sys.executable, "-m", "pyperf", *words], cwd=measured, capture_output=True, text=True,
                              check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "echo" in done.stdout


def test_pandas_gets_one_row_a_run_and_metric(measured):
    pytest.importorskip("pandas", reason="pandas is an extra")
    frame = loopstall_package.load(measured / "base")
    assert set(frame.unit) == {"1/s", "ns", "1", "share", "bytes"}
    one = frame[(frame.workload == "echo") & (frame.metric == "throughput")]
    assert (len(one), set(one.dispatch), set(one.run)) == (4, {"inline"}, {0, 1, 2, 3})
