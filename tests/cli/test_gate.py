"""The gate as users have it: real processes, two sides, exit codes and outputs."""

import json
from pathlib import Path
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree as ET

from gated import LIBRARY, QUICK, UNTRAPPED, WORKLOAD, gate
from helpers import loopstall
import pytest

pytestmark = [pytest.mark.alone, pytest.mark.once]  # what is compared are processes, whatever the Python

ASYNC_LIBRARY = """
import asyncio
import time
async def fetch(seed):
    await asyncio.sleep(0.001)
    return seed
"""
ASYNC_WORKLOAD = """
import mylib
from loopstall import workload

@workload(dispatches=["async"])
async def fetching(seed):
    return await mylib.fetch(seed)

@fetching.verify
def _(result, seed):
    return result == seed
"""
TOLERANT = ("--effect", "100%", "--inconclusive", "pass")
"""Of unchanged sides, which a busy machine may not be able to tell."""

PATHS = ("--baseline-path", "base", "--candidate-path", "head")


@pytest.fixture
def project(tmp_path):
    """Two folders of the same code, and a workload over it."""
    for side in ("base", "head"):
        (tmp_path / side / "src").mkdir(parents=True)
        (tmp_path / side / "src" / "mylib.py").write_text(LIBRARY)
    (tmp_path / "workloads").mkdir()
    (tmp_path / "workloads" / "lib.py").write_text(WORKLOAD)
    return tmp_path


def change(project, old, new, *, side="head"):
    path = project / side / "src" / "mylib.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def verdicts(folder):
    content = json.loads((folder / "verdicts.json").read_text())
    assert (content["format"], content["kind"]) == ("loopstall", "verdicts")
    return content["data"]


def test_much_more_work_is_a_regression_with_everything_a_reader_needs(project):
    change(project, "range(n)", "range(20 * n)")
    done = gate(
        project, *PATHS, *QUICK, *UNTRAPPED, "--results", "out", "--format", "terminal", "-o", "-", "--format", "junit", "-o", "j.xml",
        "--format", "github", "-o", "g.txt", "--format", "markdown", "-o", "m.md", "--format", "json", "-o", "v.json",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "regressed: calc[n=4000] · asyncio/inline time per job +" in " ".join(done.stdout.split())
    (said,) = verdicts(project / "out")
    assert said["verdict"] == "regressed"
    assert said["kind"] == "regression"
    assert said["amount"] > 2
    assert json.loads((project / "v.json").read_text())["data"] == [said]
    suite = ET.parse(project / "j.xml").getroot().find("testsuite")  # noqa: S314
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "1", "0")
    assert (project / "g.txt").read_text().startswith("::error file=workloads/lib.py,title=regressed%3A calc[n=4000] ·")
    assert "❌" in (project / "m.md").read_text()
    for side in ("baseline", "candidate"):  # each side is a result like any other
        shown = loopstall("report", f"out/{side}", cwd=project)
        assert shown.returncode == 0, shown.stderr


def test_identical_sides_pass_and_the_summary_of_the_job_is_written_where_github_wants_it(project):
    summary = project / "summary.md"
    summary.write_text("before\n")
    forms = ("--format", "terminal", "-o", "-", "--format", "github")
    done = gate(project, *PATHS, *QUICK, *TOLERANT, *forms, env={"GITHUB_STEP_SUMMARY": str(summary)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "regressed" not in done.stdout
    assert "both sides are the same files" in done.stdout
    assert summary.read_text().startswith("before\n### loopstall gate: 1 ")


def test_trap_that_appears_fails_with_the_line_to_blame(project):
    change(project, "    value = 0\n", "    time.sleep(0.08)\n    value = 0\n")
    done = gate(project, *PATHS, *QUICK, "--turns", 1, "--results", "out", "--format", "github")
    assert done.returncode == 1, done.stdout + done.stderr
    (said,) = verdicts(project / "out")
    assert "a trap that the baseline does not have" in said["rule"]
    assert said["culprit"]["file"].endswith("mylib.py")
    assert said["culprit"]["line"] == 5
    assert said["stack"]
    assert {item["metric"] for item in said["findings"]} == {"time_per_job", "availability", "cpu_per_job"}
    assert f"file={project / 'head/src/mylib.py'},line=5,".replace(f"{project}/", "") in done.stdout


def test_accepted_regression_passes_until_it_grows_or_its_date_is_over(project):
    change(project, "    value = 0\n", "    time.sleep(0.08)\n    value = 0\n")
    assert gate(project, *PATHS, *QUICK, "--results", "reports/1-gate").returncode == 1
    done = loopstall("accept", "--reason", "moves out in May", "--who", "ann", "--budget", "40s", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (project / "loopstall-accepted.toml").read_text()
    for part in (
        'workload = "calc[n=4000]"',
        'where = "mylib.py:5"',
        'budget = "40000.0ms"',
        'who = "ann"',
        "until = ",
    ):
        assert part in text
    done = gate(project, *PATHS, *QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "moves out in May" in done.stdout
    assert "accepted" in done.stdout
    (project / "loopstall-accepted.toml").write_text(text.replace('"40000.0ms"', '"60ms"'))
    done = gate(project, *PATHS, *QUICK)
    assert done.returncode == 1
    assert "accepted up to 60.0 ms" in " ".join(done.stdout.split())


def test_accept_refuses_an_empty_reason_and_a_result_without_regressions(project):
    done = loopstall("accept", "--reason", "  ", cwd=project)
    assert (done.returncode, "--reason is empty" in done.stderr) == (2, True)
    done = loopstall("accept", "--reason", "x", cwd=project)
    assert (done.returncode, "there is no result of a gate" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[[accepted]]\nwhat = 'stall'\n", "has no budget"),
        ("[[acepted]]\n", "unknown key 'acepted'"),
        ("not toml", "cannot read loopstall-accepted.toml"),
    ],
)
def test_bad_accepted_file_is_refused_before_anything_is_measured(project, content, said):
    (project / "loopstall-accepted.toml").write_text(content)
    done = gate(project, *PATHS)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (project / "reports").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "is not in a git checkout"),
        (("--baseline-path", "base"), "the candidate is missing"),
        (("--baseline-path", "base", "--baseline", "main"), "cannot be used together"),
        (("--baseline-path", "nowhere", "--candidate-path", "head"), "does not exist"),
        (("--baseline-python", "/bin/false", "--candidate-path", "head"), "cannot import loopstall"),
        ((*PATHS, "-o", "a", "-o", "b"), "more files than formats"),
        ((*PATHS, "--effect", "much"), "'much' is not a share"),
        ((*PATHS, "--alpha", "0"), "has to be over 0"),
        ((*PATHS, "--accepted", "missing.toml"), "there is no such file"),
    ],
)
def test_wrong_use_is_a_sentence_and_exit_code_two(project, arguments, said):
    done = gate(project, *arguments, env={"GIT_CEILING_DIRECTORIES": str(project.parent)})
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_baseline_that_cannot_be_imported_is_no_pass(project):
    (project / "base" / "src" / "mylib.py").unlink()
    done = gate(project, *PATHS, *QUICK, "--format", "json", "-o", "v.json")
    assert done.returncode == 5, done.stdout + done.stderr
    (said,) = json.loads((project / "v.json").read_text())["data"]
    assert said["verdict"] == "baseline-broken"
    assert "ModuleNotFoundError: No module named 'mylib'" in said["rule"]


def test_side_whose_results_are_wrong_fails_the_measurement(project):
    (project / "workloads" / "lib.py").write_text(WORKLOAD.replace("return seed", "return seed + mylib.OFF"))
    for side, off in (("base", 0), ("head", 1)):
        change(project, "import time\n", f"import time\nOFF = {off}\n", side=side)
    done = gate(project, *PATHS, *QUICK)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "the candidate: the job of seed" in " ".join(done.stdout.split())


@pytest.mark.parametrize(("how", "status"), [("fail", 5), ("pass", 0)])
def test_what_could_not_be_measured_in_time_is_inconclusive(project, how, status):
    done = gate(project, *PATHS, "--max-minutes", "1e-9", "--inconclusive", how)
    assert done.returncode == status, done.stdout + done.stderr
    assert "0 of 8 pairs were measured in the available time" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("work", "limit", "said"),
    [
        ("os._exit(7)", "60s", "ended with status 7"),
        ("os.kill(os.getpid(), 11)", "60s", "was ended by SIGSEGV"),
        ("time.sleep(60)", "1s", "did not end within the time limit"),
    ],
)
def test_candidate_that_ends_or_hangs_is_explained_and_leaves_no_process(project, work, limit, said):
    change(project, "    value = 0\n", f"    import os\n    {work}\n    value = 0\n")
    begun = time.monotonic()
    done = gate(project, *PATHS, *QUICK, "--time-limit", limit)
    assert done.returncode == 3, done.stdout + done.stderr
    assert said in " ".join(done.stdout.split())
    assert time.monotonic() - begun < 100


def interrupted(project, *arguments):
    """Starts a gate, interrupts it when its first pairs are saved, and returns its exit code and what it printed."""
    command = [sys.executable, "-m", "loopstall", "gate", *map(str, arguments), "--results", "out"]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    runs = project / "out" / "candidate" / "runs"
    while not (runs.is_dir() and len(list(runs.iterdir())) > 1):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    told, complained = process.communicate(timeout=60)
    assert not complained.count("Traceback")
    return process.returncode, " ".join(told.split())


def test_interrupted_gate_shows_its_verdicts_and_is_completed_by_resume(project):
    change(project, "range(n)", "range(20 * n)")
    status, told = interrupted(project, "calc", "-s", "asyncio", *PATHS, "--turns", 2, *UNTRAPPED)
    assert status == 130
    assert "of 8 pairs were measured in the available time" in told
    assert "complete them with: loopstall gate --resume out" in told
    (said,) = verdicts(project / "out")
    assert (said["verdict"], 0 < said["pairs"] < 8) == ("inconclusive", True)
    before = {path.name: path.stat().st_mtime_ns for path in (project / "out" / "candidate" / "runs").iterdir()}
    done = loopstall("gate", "--resume", "out", "--turns", 4, cwd=project)
    assert (done.returncode, "leave --turns out" in " ".join(done.stderr.split())) == (2, True)
    done = loopstall("gate", "--resume", "out", cwd=project)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "regressed: calc" in done.stdout, done.stdout
    assert "time per job +" in " ".join(done.stdout.split())
    (said,) = verdicts(project / "out")
    assert (said["verdict"], said["pairs"]) == ("regressed", 8)
    after = {path.name: path.stat().st_mtime_ns for path in (project / "out" / "candidate" / "runs").iterdir()}
    assert before.items() <= after.items()
    change(project, "range(20 * n)", "range(21 * n)")
    done = loopstall("gate", "--resume", "out", cwd=project)
    assert (done.returncode, "the code has changed since" in " ".join(done.stderr.split())) == (2, True)


def test_blocking_call_that_is_new_in_an_async_workload_is_told_by_few_pairs_of_a_quick_gate(project):
    """Four pairs of three turns decide, where each turn of the candidate takes half a second."""
    (project / "workloads" / "lib.py").write_text(ASYNC_WORKLOAD)
    for side in ("base", "head"):
        (project / side / "src" / "mylib.py").write_text(ASYNC_LIBRARY)
    change(project, "    return seed\n", "    time.sleep(0.06)\n    return seed\n")
    done = loopstall("gate", "--quick", "fetching", *PATHS, "-s", "asyncio/async", "--results", "out", cwd=project)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "stops measuring after 66.0 s" in " ".join(done.stderr.split())
    (said,) = verdicts(project / "out")
    assert "a trap that the baseline does not have" in said["rule"]
    assert (Path(said["culprit"]["file"]).name, said["culprit"]["line"]) == ("mylib.py", 6)
    assert "mylib.py:6" in "".join(done.stdout.split())  # a long path is broken
    assert said["pairs"] == 4
    for file in (project / "out" / "candidate" / "runs").iterdir():
        assert len(json.loads(file.read_text())["data"]["measured"]["bursts"]) == 3


def test_function_that_became_much_faster_is_told_by_a_quick_gate(project):
    change(project, "range(n)", "range(30 * n)", side="base")
    done = gate(project, *PATHS, "--quick", "--turns", 4, *UNTRAPPED, "--results", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    (said,) = verdicts(project / "out")
    assert (said["verdict"], said["pairs"]) == ("improved", 4)


def test_settings_of_the_gate_and_of_single_workloads_are_read(project):
    settings = (
        "[tool.loopstall]\nprocesses = 2\n"
        "[tool.loopstall.gate]\nrounds = 2\nconfirm = 5\nturns = 3\nalpha = '20%'\ninconclusive = 'pass'\n"
        "[tool.loopstall.workload.calc]\neffect = '100%'\nstall = '90s'\n"
    )
    (project / "pyproject.toml").write_text(settings)
    change(project, "    value = 0\n", "    time.sleep(0.08)\n    value = 0\n", side="base")
    change(project, "    value = 0\n", "    time.sleep(0.08)\n    value = 0\n")
    done = gate(project, *PATHS, "--results", "out", "--budget", "50ms", "--availability", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((project / "out" / "baseline" / "runs").iterdir())) in {2, 4, 7, 12}
    (project / "pyproject.toml").write_text(settings.replace("90s", "60ms"))
    done = gate(project, *PATHS, "--budget", "50ms", "--availability", "0")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "over 60.0 ms" in " ".join(done.stdout.split())
    (project / "pyproject.toml").write_text(settings.replace("100%", "1000%"))
    assert "[tool.loopstall.workload.calc]" in gate(project, *PATHS).stderr
    (project / "pyproject.toml").write_text("[tool.loopstall.workload.calc]\neffct = '2%'\n")
    done = gate(project, *PATHS)
    assert (done.returncode, "unknown setting 'effct'" in done.stderr) == (2, True)
