from dataclasses import replace
import html
from pathlib import Path

from helpers import cell
import pytest
import xmlschema

from loopstall.analysis.content import Content, digest
from loopstall.records import Estimate, Finding, Frame, Verdict
from loopstall.report.formats import rendered
from loopstall.report.github import gate_to_github
from loopstall.report.junit import gate_to_junit
from loopstall.report.markdown import gate_to_markdown
from loopstall.report.verdict_text import ordered, sentence

SCHEMA = xmlschema.XMLSchema10(Path(__file__).with_name("jenkins-junit-10.xsd"))
WORDS = ("ok", "regressed", "improved", "inconclusive", "failed", "added", "removed")
NASTY = '<b>&"]]>\x00\x1b[31m\u202e\ud800|`*%,:\r\n::error::'


def verdict(word="regressed", *, row="work", **extra):
    change = Estimate(value=0.1, low=0.08, high=0.12, confidence=0.95, runs=16)
    finding = Finding(metric="time_per_job", base=1e6, head=1.1e6, change=change, effect=0.02, p=0.001)
    frame = Frame(file="/srv/app/a,b.py", line=12, function="handler")
    return replace(
        Verdict(row=row, strategy="asyncio/inline", verdict=word, rule="because", findings=(finding,), pairs=24,
                workload=cell(path="/srv/app/workloads/w.py").workload, culprit=frame, stack=(frame,)),
        **extra,
    )  # fmt: skip


def made(verdicts, **extra):
    return digest(Content(title="gate", runs=(), verdicts=verdicts, **extra))


@pytest.mark.parametrize("fails", [True, False])
def test_junit_validates_against_the_schema_of_jenkins(fails):
    verdicts = [verdict(word) for word in WORDS] + [verdict(row=NASTY, rule=NASTY), verdict(accepted="for now")]
    text = gate_to_junit(made(verdicts, inconclusive_fails=fails))
    SCHEMA.validate(text)
    suite = SCHEMA.to_dict(text)["testsuite"][0]
    counted = [suite[f"@{name}"] for name in ("tests", "failures", "errors", "skipped")]
    assert counted == (["9", "2", "2", "0"] if fails else ["9", "2", "1", "1"])
    SCHEMA.validate(gate_to_junit(made([])))


def test_annotation_stands_at_the_line_to_blame_and_is_escaped():
    text = gate_to_github(made([verdict(rule="50% more,\nsee: there")], root=Path("/srv/app")))
    assert text.startswith(
        "::error file=a%2Cb.py,line=12,title=regressed%3A work · asyncio/inline::50%25 more,\\nsee: there%0Aculprit"
    )
    assert text.count("\n") == 1


def test_annotation_without_a_culprit_stands_at_the_workload():
    text = gate_to_github(made([verdict(culprit=None, stack=())], root=Path("/srv/app")))
    assert text.startswith("::error file=workloads/w.py,title=")


def test_no_text_can_make_an_annotation_of_its_own():
    lines = gate_to_github(made([verdict(row=NASTY, rule=NASTY)], root=Path("/"))).splitlines()
    assert len(lines) == 1
    assert lines[0].count("::") <= 4
    assert "\x1b" not in lines[0]


def test_only_the_ten_worst_are_annotated_and_nothing_that_is_accepted():
    many = [verdict(row=f"r{n}") for n in range(30)] + [
        verdict("ok"),
        verdict("failed", row="broken"),
        verdict(accepted="x"),
    ]
    lines = gate_to_github(made(many, root=Path("/"))).splitlines()
    assert len(lines) == 10
    assert "broken" in lines[0]


def test_markdown_has_the_worst_first_and_takes_text_as_it_stands():
    text = gate_to_markdown(made([verdict("ok"), verdict("regressed", row="a|b*<script>")], notes=["x against y"]))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert "regressed" in rows[1]
    assert "a\\|b\\*\\<script\\>" in rows[1]
    assert "ok" in rows[2]
    assert "1 regressed, 1 ok" in text
    assert "x against y" in text


def test_markdown_of_a_huge_matrix_stays_within_a_mebibyte():
    frame = Frame(file="/srv/" + "x" * 2000, line=1, function="f")
    many = [verdict(row=f"r{n}" * 50, rule="y" * 5000, stack=(frame,) * 64) for n in range(500)]
    text = gate_to_markdown(made(many))
    assert len(text.encode()) < 1 << 20
    assert "more rows left out" in text


def lost_availability():
    change = Estimate(value=0.016, low=0.013, high=0.019, confidence=0.95, runs=16)
    finding = Finding(metric="availability", base=0.93, head=0.91, change=change, effect=0.02, p=0.001)
    slower = verdict().findings
    return verdict(findings=(*slower, finding), rule="time per job +10.0% [+8.0%, +12.0%] from 1.00 ms, over it")


def test_change_is_told_in_one_way_in_every_format():
    content = made([lost_availability()], root=Path("/"), gated=True)
    time, lost = "time per job +10.0% [+8.0%, +12.0%] from 1.00 ms", "-1.6 pp [-1.9 pp, -1.3 pp] from 93.0%"
    for form in ("terminal", "markdown", "html", "junit", "github"):
        text = html.unescape(rendered(form, content)).replace("\\", "").replace("%25", "%").replace("%2C", ",")
        assert time in text, form
        assert f"loop availability {lost}" in text, form
        for other in ("→", "of the time", "+1.6", "91.0%", "rose", "fell", "1.10 ms"):
            assert other not in text.partition("<style>")[0], (form, other)


def test_words_are_counted_and_ordered_by_what_a_reader_has_to_do():
    verdicts = [verdict(word) for word in WORDS]
    assert [item.verdict for item in ordered(verdicts)][:2] == ["failed", "regressed"]
    assert sentence([verdict(), verdict(accepted="x"), verdict("ok")]) == "2 regressed, 1 ok (1 accepted)"
    assert sentence([]) == "nothing was measured"
