"""The workflows of GitHub Actions, which cannot run here: their shape, and what they promise."""

from pathlib import Path
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the tests of an sdist have no workflows"),
]


def workflow(name):
    """A workflow, its key ``on`` (which YAML 1.1 takes for true) as ``triggers``."""
    made = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    made["triggers"] = made.pop(True)
    return made


def steps():
    return [
        step
        for path in sorted(FOLDER.glob("*.yml"))
        for job in workflow(path.name)["jobs"].values()
        for step in job.get("steps", ())
    ]


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", [str(path) for path in sorted(FOLDER.glob("*.yml"))]),
        ("vendor.github-actions", ["action.yml"]),
        ("vendor.github-issue-forms", [f".github/ISSUE_TEMPLATE/{name}.yml" for name in ("bug", "idea")]),
        ("vendor.github-issue-config", [".github/ISSUE_TEMPLATE/config.yml"]),
        ("vendor.citation-file-format", ["CITATION.cff"]),
    ],
)
def test_workflows_forms_and_citation_are_as_their_schemas_say(schema, files):
    pytest.importorskip("check_jsonschema")
    words = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files)
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_python_of_the_classifiers_is_tested_on_linux():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    promised = {match[1] for text in project["classifiers"] if (match := re.search(r":: (3\.\d+)$", text))}
    tested = set(workflow("ci.yml")["jobs"]["tests"]["strategy"]["matrix"]["python"])
    assert promised <= tested
    assert {"3.11", "3.12", "3.13", "3.14", "3.14t", "3.15"} <= tested


def test_every_action_is_pinned_to_a_version_and_every_job_may_do_little():
    for step in steps():
        if "uses" in step:
            assert re.fullmatch(r"[\w./-]+@(v\d+|release/v1)", step["uses"])
    for path in FOLDER.glob("*.yml"):
        made = workflow(path.name)
        assert made["permissions"] in ({"contents": "read"}, {})
        assert "concurrency" in made
    rights = [job.get("permissions", {}) for job in workflow("release.yml")["jobs"].values()]
    assert [right for right in rights if "id-token" in right] == [{"id-token": "write", "attestations": "write"}]


def test_no_script_is_made_of_what_somebody_else_may_have_named():
    for step in steps():
        assert "github." not in step.get("run", "")


def test_site_is_published_from_the_default_branch_alone_and_by_one_job_that_may():
    made = workflow("pages.yml")
    assert made["triggers"]["push"]["branches"] == ["main"]
    assert made["jobs"]["publish"]["if"] == "github.event_name == 'push'"
    assert [name for name, job in made["jobs"].items() if "permissions" in job] == ["publish"]
    (uploaded,) = (
        step["with"]["path"] for step in made["jobs"]["build"]["steps"] if "pages-artifact" in step.get("uses", "")
    )
    assert '"build" / "site"' in (ROOT / "bench" / "site.py").read_text(encoding="utf-8")
    assert uploaded == "build/site"


def test_what_ci_calls_is_there():
    text = "".join((FOLDER / name).read_text(encoding="utf-8") for name in ("ci.yml", "pages.yml"))
    known = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        word for words in re.findall(r"--session ([a-z_ ]+?)(?: --|$)", text, re.MULTILINE) for word in words.split()
    }
    assert named
    assert named <= known
    for path in re.findall(r"(?:\.ci|tests)/[\w./]+", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize(("tag", "status"), [("v1.2.3", 0), ("v1.2.4", 1), ("1.2.3", 0)])
def test_release_is_refused_where_the_tag_is_not_the_version(tmp_path, tag, status):
    (tmp_path / "dist").mkdir()
    for name in ("loopstall-1.2.3-py3-none-any.whl", "loopstall-1.2.3.tar.gz"):
        (tmp_path / "dist" / name).touch()
    (check,) = (step for step in steps() if step.get("name") == "Check that the tag is the version")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", check["run"]], cwd=tmp_path, capture_output=True,
                          text=True, timeout=30, env={"TAG": tag, "PATH": "/usr/bin:/bin"}, check=False)  # fmt: skip
    assert done.returncode == status, done.stderr
    assert ("is not the version that was built" in done.stderr) == bool(status)
