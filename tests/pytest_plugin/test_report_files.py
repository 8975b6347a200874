"""What the pytest plugin writes: the report of a session, and annotations."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

from own_tests import BLOCKED, BUDGET, FINE, run
import pytest


def test_annotations_on_github(tmp_path):
    done = run(tmp_path, BLOCKED, *BUDGET, GITHUB_ACTIONS="true")
    assert "::warning file=test_own.py,line=7,title=an event loop was blocked::" in done.stdout


@pytest.mark.parametrize("name", ["out.html", "out.json", "out.junit", "out.xml", "out.speedscope.json"])
def test_report_of_the_session_has_the_form_of_its_name(tmp_path, name):
    done = run(tmp_path, BLOCKED + FINE, *BUDGET, "--stall-report", name)
    assert f"the stalls are in {tmp_path / name}" in done.stdout
    text = (tmp_path / name).read_text()
    if name.endswith("html"):
        assert "test_own.py::test_blocked" in text
        assert "over budget" in text
    elif name == "out.json":
        document = json.loads(text)
        (stall,) = (one for one in document["stalls"] if one["over"])
        assert stall["test"] == "test_own.py::test_blocked"
        assert stall["stall"]["culprit"]["line"] == 7
        assert document["over"] == 1
        jsonschema = pytest.importorskip("jsonschema")
        schema = Path(__file__).parents[2] / "docs" / "stalls.schema.json"
        jsonschema.validate(document, json.loads(schema.read_text()))
    elif name.endswith("speedscope.json"):
        profile = max(json.loads(text)["profiles"], key=lambda one: one["endValue"])  # a busy machine makes others
        assert profile["name"] == "test_own.py::test_blocked"
        assert sum(profile["weights"]) > 1e8
    else:
        (failure,) = ET.fromstring(text).iter("failure")  # noqa: S314  # our own
        assert failure.get("type") == "blocking-call"


def test_report_with_workers_is_that_of_all(tmp_path):
    pytest.importorskip("xdist")
    done = run(tmp_path, BLOCKED + FINE, *BUDGET, "--stall-report", "out.json", "-n", 2, plugins=("xdist",))
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["over"] == 1, done.stdout
    assert document["stalls"][0]["stall"]["stack"]
    assert document["stalls"][0]["process"].startswith("gw")


@pytest.mark.parametrize(("file", "said"), [("out.doc", "names no form"), ("no/out.html", "No such file")])
def test_report_that_cannot_be_written_is_wrong_use_before_any_test(tmp_path, file, said):
    done = run(tmp_path, FINE, *BUDGET, "--stall-report", file)
    assert done.returncode == 4
    assert said in done.stderr
    assert "passed" not in done.stdout
