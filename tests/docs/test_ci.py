"""What docs/ci.md has to copy, run as the tool that it is for runs it, with a loopstall that notes what it is asked."""

import os
from pathlib import Path
import re
import subprocess
import sys

from documents import ROOT, blocks
import pytest
from workshop import parsed

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

pytestmark = pytest.mark.once

TEXT = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
WORKFLOW, GITLAB, PRE_COMMIT = (
    item.text for item in blocks() if (item.document, item.language) == ("docs/ci.md", "yaml")
)
(NOXFILE,) = (item.text for item in blocks() if (item.document, item.language) == ("docs/ci.md", "python"))


@pytest.fixture
def project(tmp_path):
    """A repository that can be pushed, and a program ``loopstall`` that writes its arguments down."""
    program = tmp_path / "bin" / "loopstall"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/given"\nexit $(cat "{tmp_path}/status")\n')
    program.chmod(0o755)
    (tmp_path / "status").write_text("0")
    folder = tmp_path / "project"
    folder.mkdir()
    git(tmp_path, "init", "--quiet", "--bare", "origin")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "remote", "add", "origin", str(tmp_path / "origin"))
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "Begin")
    return folder


def git(folder, *words, codes=(0,)):
    words = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false", *words)
    done = subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True, env=environment(folder))
    assert done.returncode in codes, done.stdout + done.stderr


def environment(folder):
    path = os.pathsep.join([str(folder.parent / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PRE_COMMIT_HOME": str(folder.parent / "pre-commit")}


def schema_holds(name, text, folder):
    pytest.importorskip("check_jsonschema")
    (folder / "file.yml").write_text(text)
    words = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", name, "file.yml")
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflow_is_one_and_gives_the_action_what_it_needs(tmp_path):
    schema_holds("vendor.github-workflows", WORKFLOW, tmp_path)
    made = yaml.safe_load(WORKFLOW)
    assert made["permissions"] == {"contents": "read", "pull-requests": "write"}
    checkout, _, gate, said = made["jobs"]["gate"]["steps"]
    assert checkout["with"]["fetch-depth"] == 0
    assert gate["with"].keys() <= ACTION["inputs"].keys()
    parsed(["gate", *gate["with"]["arguments"].split(), "--max-minutes", gate["with"]["max-minutes"]])
    assert set(re.findall(r"steps\.gate\.outputs\.([\w-]+)", WORKFLOW)) == ACTION["outputs"].keys()
    env = {"PATH": "/usr/bin:/bin", "VERDICT": "passed", "REGRESSED": "0", "PAGE": ""}
    done = subprocess.run(["bash", "-e", "-c", said["run"]], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "passed, 0 cells regressed, no page\n"
    assert "${{" not in said["run"]


def test_tables_have_every_input_and_output_and_their_defaults():
    rows = re.findall(r"^\| (`.+?) \| (.+?) \| .+ \|$", TEXT, re.MULTILINE)
    defaults = {name: said for names, said in rows for name in re.findall(r"`([\w-]+)`", names)}
    assert defaults.keys() == ACTION["inputs"].keys()
    for name, item in ACTION["inputs"].items():
        shown = {"": {"none", "see above"}, "${{ github.token }}": {"the job's"}}.get(
            item["default"], {f"`{item['default']}`"}
        )
        assert defaults[name] in shown, name
    outputs = re.findall(r"^\| `([\w-]+)` \| [^|]+ \|$", TEXT, re.MULTILINE)
    assert set(outputs) == ACTION["outputs"].keys()


def test_gitlabs_job_is_one_and_calls_a_gate_that_parses(tmp_path):
    schema_holds("vendor.gitlab-ci", GITLAB, tmp_path)
    job = yaml.safe_load(GITLAB)["gate"]
    install, gate = job["script"]
    assert install.startswith("pip install ")
    words = gate.split()
    parsed(words[1:])
    assert {job["artifacts"]["reports"]["junit"], "gate.md"} <= set(words)


def test_session_is_run_by_nox_and_calls_the_gate_with_its_options(project):
    pytest.importorskip("nox")
    (project / "noxfile.py").write_text(NOXFILE)
    words = ("-m", "nox", "--force-venv-backend", "none", "--no-install", "-s", "gate", "--", "--quick")
    done = subprocess.run([sys.executable, *words], cwd=project, env=environment(project), capture_output=True,
                          text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    given = (project.parent / "given").read_text().split()
    assert given == ["gate", "--quick"]
    parsed(given)


def test_hook_is_run_before_a_push_and_stops_it_where_the_gate_fails(project):
    pytest.importorskip("pre_commit")
    (project / ".pre-commit-config.yaml").write_text(PRE_COMMIT)
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "Add the hook")
    subprocess.run([sys.executable, "-m", "pre_commit", "install", "--hook-type", "pre-push"], cwd=project, check=True,
                   capture_output=True, env=environment(project))  # fmt: skip
    (project.parent / "status").write_text("1")
    git(project, "push", "--quiet", "origin", "main", codes=(1,))
    parsed((project.parent / "given").read_text().split())
    (project.parent / "status").write_text("0")
    git(project, "push", "--quiet", "origin", "main")
