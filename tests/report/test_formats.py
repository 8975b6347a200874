"""Every format of a result, read back by what reads it."""

import csv
import io
import json
from pathlib import Path
import re
from xml.etree import ElementTree as ET

from helpers import cell, failed, loopstall, measured, pair, plan, run
import jsonschema
import msgspec
from pages import HOSTILE
import pytest
import xmlschema

from loopstall.analysis.content import Content, digest
from loopstall.records import Frame, Skipped
from loopstall.report import formats
from loopstall.report.formats import FORMATS
from loopstall.report.json_csv import Document, json_schema
from loopstall.report.stall_document import StallDocument
from loopstall.results import store

ROOT = Path(__file__).parents[2]
TRACE = {
    "type": "object",
    "required": ["traceEvents"],
    "properties": {
        "displayTimeUnit": {"enum": ["ms", "ns"]},
        "traceEvents": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["ph", "pid", "tid", "name"],
                "properties": {
                    "ph": {"enum": ["X", "M", "C"]},
                    "pid": {"type": "integer"},
                    "tid": {"type": "integer"},
                    "name": {"type": "string"},
                    "ts": {"type": "number", "minimum": 0},
                    "dur": {"type": "number", "minimum": 0},
                    "args": {"type": "object"},
                },
                "allOf": [
                    {"if": {"properties": {"ph": {"const": "X"}}}, "then": {"required": ["ts", "dur"]}},
                    {"if": {"properties": {"ph": {"const": "C"}}}, "then": {"required": ["ts", "args"]}},
                    {"if": {"properties": {"ph": {"const": "M"}}}, "then": {"required": ["args"]}},
                ],
            },
        },
    },
}
"""What of the Trace Event Format is used here, as its specification has it."""


def rendered(form, what):
    return formats.rendered(form, digest(what))


def content(text="work", cells=2):
    frame = Frame(file=f"/app/{text}", line=7, function=text)
    made = [cell(f"{text}{n}" if n else text, params=(("p", text),)) for n in range(cells)]
    left = Skipped(cell=cell(text, dispatch="async"), reason=text)
    return Content(
        title=text,
        runs=[
            *(run(where, figures=measured(stalls_ms=[60, 20], frame=frame)) for where in made[:-1]),
            failed(made[-1], message=text, detail=text),
        ],
        plan=plan(*made, processes=1, skipped=(left,)),
        warnings=[text],
    )


def test_stalls_schema_is_up_to_date():
    published = json.loads((ROOT / "docs" / "stalls.schema.json").read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(json_schema(StallDocument))), "docs/stalls.schema.json: nox -s schema"


def test_json_is_as_its_published_schema_says():
    published = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(json_schema())), (
        "docs/report.schema.json is out of date: see CONTRIBUTING.md"
    )
    text = rendered("json", content())
    jsonschema.validate(json.loads(text), published)
    document = msgspec.json.decode(text, type=Document)
    assert [(item.workload, item.trap, item.error) for item in document.cells] == [
        ("work", True, ""),
        ("work1", False, "work"),
    ]
    assert document.cells[0].figures["longest_stall"].value == 60e6
    assert {item.rule for item in document.findings} >= {"failed", "stall-of-unknown-cause", "insufficient-data"}


def test_csv_has_a_row_a_run_and_metric_and_no_formulas():
    rows = list(csv.DictReader(io.StringIO(rendered("csv", content("=1+1")))))
    found = {row["metric"]: row["value"] for row in rows if row["metric"]}
    assert float(found["longest_stall"]) == 60e6
    assert [row["error"] for row in rows if row["error"]] == ["'=1+1"]
    assert {row["workload"][0] for row in rows} == {"'"}


def test_speedscope_weighs_stacks_by_stalled_time():
    data = json.loads(rendered("speedscope", content()))
    (profile,) = data["profiles"]
    assert profile["weights"] == [60_000_000, 20_000_000]
    assert profile["endValue"] == 80_000_000
    frames = data["shared"]["frames"]
    assert [frames[index] for index in profile["samples"][0]] == [{"name": "work", "file": "/app/work", "line": 7}]
    empty = json.loads(rendered("speedscope", Content(title="x", runs=[run()])))
    assert empty["profiles"][0]["samples"] == []


def test_trace_has_a_slice_a_stall_and_counters():
    data = json.loads(rendered("trace", content()))
    jsonschema.validate(data, TRACE)
    slices = [event for event in data["traceEvents"] if event["ph"] == "X"]
    assert [(event["ts"], event["dur"]) for event in slices] == [(0, 60_000), (10_000, 20_000)]
    assert {event["name"] for event in data["traceEvents"] if event["ph"] == "C"} == {
        "loop lag (ms)",
        "response time (ms)",
    }


def test_junit_is_valid_and_counts_traps_failures_and_what_was_left_out():
    text = rendered("junit", content())
    schema = xmlschema.XMLSchema(str(Path(__file__).parent / "jenkins-junit-10.xsd"))
    schema.validate(text)
    suite = ET.fromstring(text)[0]  # noqa: S314  # our own
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "3", "failures": "1", "errors": "1", "skipped": "1"}
    assert "/app/work:7" in suite.find("testcase/failure").text


def test_markdown_fits_a_comment_whatever_is_in_it():
    text = rendered("markdown", content())
    assert "▲ trap" in text
    assert "stalls the loop for 60.0 ms" in text
    written = [
        rendered("markdown", much)
        for much in (content("x" * 10_000), content("|" * 3000, cells=120), content(cells=1200))
    ]
    assert max(map(len, written)) < 65_536
    assert "more rows left out" in written[-1]


def test_github_annotates_the_line_to_blame_ten_times_at_most():
    lines = rendered("github", content(cells=30)).splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("::error file=/somewhere/work29.py")
    assert all(re.match(r"::(error|warning) file=[^,]+,(line=7,)?title=[^:]+::", line) for line in lines)


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "pyperf"])
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_text_breaks_no_format(form, text):
    made = rendered(form, content(text))
    for wrong in ("\0", "\x1b", "\u202e") if form != "json" else ("\0", "\x1b"):  # JSON is for programs
        assert wrong not in made
    if form == "junit":
        ET.fromstring(made)  # noqa: S314  # our own
    elif form in {"json", "speedscope", "trace"}:
        json.loads(made)
    elif form == "markdown":
        assert "<script>" not in re.sub(r"`[^`]*`", "", made).replace("\\<script\\>", "")
    elif form == "github":
        assert all(line.startswith("::") for line in made.splitlines())


def test_gate_folder_is_rendered_in_the_gates_own_way(tmp_path):
    from pages import gate_content

    made = gate_content()
    assert "loopstall gate" in rendered("markdown", made)
    assert "regressed" in rendered("terminal", made)
    assert "::error" in rendered("github", made)
    assert "loopstall gate" in rendered("junit", made)
    assert json.loads(rendered("json", made))["verdicts"][0]["verdict"] == "regressed"


def save(folder, *runs, made=None):
    target = store.Store(folder)
    target.begin(made or plan(*{one.cell for one in runs}, processes=1))
    for one in runs:
        target.save(one)


def test_report_writes_each_format_to_a_file_or_stdout(tmp_path):
    save(tmp_path / "r", run(figures=measured(stalls_ms=[60])))
    for form in FORMATS:
        done = loopstall("report", "r", "--format", form, "-o", f"out/{form}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "out" / form).stat().st_size > 100
    done = loopstall("report", "r", "--format", "markdown", cwd=tmp_path)
    assert done.stdout.startswith("### loopstall: 1 of 1 cell is a trap")


def test_index_lists_every_result_with_its_verdict_the_newest_first(tmp_path):
    root = tmp_path / "reports"
    save(root / "old", run(figures=measured(stalls_ms=[60])), made=plan(created_at="2026-01-01T00:00:00+00:00"))
    save(root / "new <b>", run(), made=plan(created_at="2026-02-01T00:00:00+00:00"))
    (root / "no result").mkdir()
    (root / "broken").mkdir()
    (root / "broken" / "plan.json").write_text("{")
    assert loopstall("report", "reports/old", cwd=tmp_path).returncode == 0
    assert (root / "old" / "summary.json").is_file()
    done = loopstall("report", "--index", "reports", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    html = (root / "index.html").read_text()
    assert html.index("new &lt;b&gt;") < html.index(">old</a>")
    assert "1 of 1 cell is a trap" in html
    assert "no result" not in html
    assert 'href="old/index.html"' in html


def test_pages_of_gates_lie_beside_what_they_measured(tmp_path):
    one = pair(cell())
    for side, made in (("baseline", one.base), ("candidate", one.head)):
        save(tmp_path / "g" / side, made)
    store.save_verdicts(tmp_path / "g", [])
    done = loopstall("report", "g", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "g" / "index.html").is_file()
