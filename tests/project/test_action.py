"""The composite action: its steps are run as GitHub runs them, with what they call played where it measures or writes."""

from fnmatch import fnmatch
import json
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree as ET

from helpers import write_workloads
import pytest

from loopstall.runner import checkout

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

ACTION = yaml.safe_load((Path(__file__).resolve().parents[2] / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}

pytestmark = pytest.mark.once

WORK = """
@workload
def work(seed):
    return seed
@work.verify
def _(result, seed): return result == seed
"""

GATE = """#!/bin/sh
printf '%s\\n' "$@" > given
for word in "$@"; do
  case $word in */junit.xml|*/verdicts.json|*/comment.md) cp said "$word" ;; esac
done
exit STATUS
"""

GH = """#!/bin/sh
# Keeps the comments of a pull request in comments.json and filters them as gh does.
echo "$*" | cut -d' ' -f1-5 >> calls
body=$(for word in "$@"; do case $word in body=@*) cat "${word#body=@}" ;; esac; done)
case "$*" in
  *"--method PATCH"*)
    id=$(printf '%s\\n' "$@" | sed -n 's,^repos/me/it/issues/comments/,,p')
    jq --arg id "$id" --arg body "$body" 'map(if .id == ($id | tonumber) then .body = $body else . end)' comments.json > new ;;
  *"--method POST"*)
    jq --arg body "$body" '. + [{id: (length + 1), user: {type: "Bot"}, body: $body}]' comments.json > new ;;
  *)
    while [ "$1" != --jq ]; do shift; done
    exec jq -r "$2" comments.json ;;
esac
mv new comments.json
"""


def step(name, folder, given=None, *, codes=(0,)):
    """Runs a step with values for its expressions, and returns what it printed and its outputs."""
    made = STEPS[name]
    expressions = {what: re.sub(r"^\$\{\{ (.+) \}\}$", r"\1", text) for what, text in made.get("env", {}).items()}
    known = {"inputs." + what: item.get("default", "") for what, item in ACTION["inputs"].items()} | (given or {})
    outputs = folder / "outputs"
    outputs.write_text("")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", made["run"]],
        cwd=folder, text=True, capture_output=True, check=False, timeout=120,
        env={
            **os.environ, **{what: known.get(text, "") for what, text in expressions.items()},
            "PATH": os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "GITHUB_OUTPUT": str(outputs), "RUNNER_TEMP": str(folder), "GITHUB_REPOSITORY": "me/it",
            "GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ID": "7",
        },
    )  # fmt: skip
    assert done.returncode in codes, done.stdout + done.stderr
    return done.stdout, dict(line.split("=", 1) for line in outputs.read_text().splitlines())


def program(folder, name, text):
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def git(folder, *words):
    words = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "protocol.file.allow=always", *words)
    return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_every_input_is_used_and_every_used_one_is_declared():
    assert set(re.findall(r"inputs\.([\w-]+)", json.dumps(ACTION["runs"]))) == set(ACTION["inputs"])
    assert ACTION["inputs"]["loopstall"]["default"] == "loopstall[suite]"


def test_no_script_is_made_of_what_somebody_else_may_have_named_and_every_action_is_pinned():
    for made in STEPS.values():
        assert "${{" not in made.get("run", "")
        assert re.fullmatch(r"actions/[\w-]+@v\d+", made.get("uses", "actions/x@v1"))


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
@pytest.mark.parametrize("name", [name for name, made in STEPS.items() if "run" in made])
def test_scripts_are_as_shellcheck_would_have_them(name):
    done = subprocess.run(["shellcheck", "--shell=bash", "-"], input=STEPS[name]["run"], text=True,
                          capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_cache_holds_the_environments_and_depends_on_the_files_that_they_are_made_of():
    cache = STEPS["Keep the environments of the two sides"]["with"]
    path = checkout.cache_folder() / "a-project-0123" / "environments"
    assert fnmatch(str(path), os.path.expanduser(cache["path"]))  # noqa: PTH111  # a pattern
    hashed = re.findall(r"'\*\*/([^']+)'", cache["key"])
    for name in ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "requirements.txt", "pyproject.toml", "setup.py"):
        assert any(fnmatch(name, pattern) for pattern in hashed), name
    assert cache["key"].startswith(cache["restore-keys"])


def test_install_step_installs_both_and_nothing_for_an_empty_input(tmp_path):
    program(tmp_path, "python", '#!/bin/sh\necho "$@"\n')
    install = "Install loopstall and the project"
    assert step(install, tmp_path)[0] == "-m pip install --quiet loopstall[suite] .\n"
    assert step(install, tmp_path, {"inputs.install": ""})[0] == "-m pip install --quiet loopstall[suite]\n"


@pytest.fixture
def clone(tmp_path):
    """A clone with a branch of one commit over the default branch's two."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "--quiet", "--initial-branch", "main")
    for number in range(2):
        git(origin, "commit", "--quiet", "--allow-empty", "-m", str(number))
    git(origin, "checkout", "--quiet", "-b", "topic")
    git(origin, "commit", "--quiet", "--allow-empty", "-m", "change")
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    return tmp_path / "clone"


BASE_REF = "github.base_ref"
BEFORE = "github.ref_name == github.event.repository.default_branch && github.event.before || ''"


def test_baseline_is_what_a_pull_request_shares_with_its_target(clone):
    main = git(clone, "rev-parse", "origin/main")
    assert step("Find the baseline", clone, {BASE_REF: "main"})[1] == {"revision": main}
    assert step("Find the baseline", clone, {BASE_REF: "main", "inputs.baseline": "HEAD~2"})[1]["revision"] == "HEAD~2"


def test_baseline_of_a_push_to_the_default_branch_is_the_commit_before_it(clone):
    before = git(clone, "rev-parse", "HEAD~1")
    assert step("Find the baseline", clone, {BEFORE: before})[1] == {"revision": before}
    assert step("Find the baseline", clone, {BEFORE: "0" * 40})[1] == {"revision": ""}  # of a new branch
    assert step("Find the baseline", clone)[1] == {"revision": ""}


def test_shallow_clone_without_the_baseline_is_refused_with_what_to_write(clone):
    git(clone.parent, "clone", "--quiet", "--depth", "1", f"file://{clone.parent / 'origin'}", "shallow")
    shallow = clone.parent / "shallow"
    before = git(clone, "rev-parse", "HEAD~1")
    for given in ({}, {BASE_REF: "main"}, {BEFORE: before}, {"inputs.baseline": before}):
        said, outputs = step("Find the baseline", shallow, given, codes=(2,))
        assert said.startswith("::error title=The clone is shallow::")
        assert "fetch-depth: 0" in said
        assert not outputs
    assert step("Find the baseline", shallow, {"inputs.baseline": "HEAD"})[1] == {"revision": "HEAD"}
    assert not step("Find the baseline", shallow, {"inputs.arguments": "mine --baseline-path a"})[1]


@pytest.mark.parametrize(
    ("status", "verdict"), [(0, "passed"), (1, "regressed"), (3, "failed"), (5, "inconclusive"), (2, "error")]
)
def test_gate_step_ends_as_the_gate_does_and_says_so_in_its_outputs(tmp_path, status, verdict):
    program(tmp_path, "loopstall", GATE.replace("STATUS", str(status)))
    said = [
        {"verdict": word, "accepted": why} for word, why in (("regressed", ""), ("regressed", "for now"), ("ok", ""))
    ]
    (tmp_path / "said").write_text(json.dumps({"data": said}))
    given = {"inputs.arguments": "mine uvicorn-* -s asyncio", "steps.baseline.outputs.revision": "v1"}
    (tmp_path / "uvicorn-file").touch()
    _, outputs = step("Gate", tmp_path, given, codes=(status,))
    assert outputs["verdict"] == verdict
    assert outputs.get("regressed") == (None if status == 2 else "1")
    words = (tmp_path / "given").read_text().splitlines()
    assert words[:8] == ["gate", "mine", "uvicorn-*", "-s", "asyncio", "--baseline", "v1", "--max-minutes"]
    assert "report-path" not in outputs  # there is no page


def test_gate_step_that_crashes_is_an_error_whatever_its_status(tmp_path):
    program(tmp_path, "loopstall", "#!/bin/sh\nexit 1\n")
    _, outputs = step("Gate", tmp_path, codes=(1,))
    assert outputs["verdict"] == "error"


def test_gate_step_runs_a_real_gate_and_leaves_page_junit_and_markdown(tmp_path):
    write_workloads(tmp_path, WORK, "workloads/mine.py")
    for side in ("base", "head"):
        (tmp_path / side).mkdir()
    words = "work --quick -s asyncio --inconclusive pass --baseline-path base --candidate-path head"
    given = {"inputs.arguments": words, "inputs.max-minutes": "0.05"}
    said, outputs = step("Gate", tmp_path, given, codes=(0, 1))  # on a busy machine it may find what is not there
    assert "work · asyncio/inline" in said
    assert outputs["verdict"] in {"passed", "regressed"}
    folder = Path(outputs["folder"])
    assert outputs["report-path"] == str(folder / "index.html")
    assert "work" in (folder / "index.html").read_text()
    assert (folder / "comment.md").read_text().startswith("### loopstall gate: 1 ")
    (case,) = ET.parse(folder / "junit.xml").iter("testcase")  # noqa: S314  # the gate wrote it
    assert case.get("name") == "asyncio/inline"
    wanted = STEPS["Upload the page, the JUnit file and the verdicts"]["with"]["path"]
    for line in wanted.splitlines():
        assert (folder / line.rpartition("/")[2]).is_file(), line


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_comment_is_written_once_and_updated_by_later_runs(tmp_path):
    program(tmp_path, "gh", GH)
    person = {"id": 1, "user": {"type": "User"}, "body": "<!-- loopstall-gate -->\nmine"}
    (tmp_path / "comments.json").write_text(json.dumps([person]))
    given = {
        "steps.gate.outputs.folder": str(tmp_path),
        "steps.upload.outputs.artifact-url": "https://artifact",
        "github.event.pull_request.number": "12",
    }
    for text in ("1 regressed\n", "1 ok\n", ""):  # the last gate could not be run
        (tmp_path / "comment.md").write_text(text)
        said, _ = step("Comment on the pull request", tmp_path, given)
        assert said == ""
        first, comment = json.loads((tmp_path / "comments.json").read_text())
        assert first == person
        assert comment["body"].startswith(f"<!-- loopstall-gate -->\n{text or '### loopstall-gate: no verdict'}")
        assert (
            comment["body"]
            .rstrip()
            .endswith(
                "[Log](https://github.com/me/it/actions/runs/7) · [page, JUnit file and verdicts](https://artifact)"
            )
        )
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [line.split()[3] for line in calls if "--method" in line] == ["POST", "PATCH", "PATCH"]


def test_comment_that_may_not_be_written_is_a_warning_that_says_what_the_job_needs(tmp_path):
    program(tmp_path, "gh", "#!/bin/sh\necho 'HTTP 403' >&2\nexit 1\n")
    said, _ = step("Comment on the pull request", tmp_path, {"steps.gate.outputs.folder": str(tmp_path)})
    assert said.startswith("::warning title=No comment::")
    assert "pull-requests: write" in said
