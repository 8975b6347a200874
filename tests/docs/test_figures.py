"""The figures that the documents give of the program itself are those of its code."""

import importlib
import math
import re

from documents import DOCUMENTS, ROOT
import pytest


def of(path):
    """Returns a value by its path: ``module:NAME``."""
    module, _, name = path.partition(":")
    found = getattr(importlib.import_module(f"loopstall.{module}"), name)
    return found[0] if isinstance(found, tuple) else found


def plain(value):
    """Writes a number as a sentence does."""
    return f"{value:,.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"


MS = 1_000_000
FIGURES = [
    ("docs/reports.md", "Where it has over 10% less throughput", "Where it has over {}% less throughput",
     ("analysis.recommend:LOSS * 100",)),
    ("docs/reports.md", "unless that is over 50% of the throughput", "unless that is over {}% of the throughput",
     ("analysis.recommend:MOST_LOSS * 100",)),
    ("README.md", "less than 112 columns", "less than {} columns", ("report.terminal:_WIDE",)),
    ("README.md", "4 fresh processes a cell, 2 of over 26; 5 without, 20 with --rigorous",
     "{} fresh processes a cell, {} of over {}; {} without, {} with --rigorous",
     ("cli.run:_QUICK", "cli.run:_QUICK_OF_MANY", "cli.run:_MANY", "cli.run:_PROCESSES", "cli.run:_RIGOROUS")),
    ("README.md", "a stall over `--budget` (50 ms)", "a stall over `--budget` ({} ms)", ("analysis.summary:DEFAULT_STALL_NS / MS",)),
    ("README.md", "`--availability` (50%)", "`--availability` ({}%)", ("analysis.summary:DEFAULT_AVAILABILITY * 100",)),
    ("docs/gate.md", "16 bursts of some 20 ms each", "{} bursts of some {} ms each",
     ("cli.options.gate:_TURNS", "runner.paired:BURST_S * 1000")),
    ("docs/gate.md", "80 requests a second (`--rate`), one of twenty heavy",
     "{} requests a second (`--rate`), one of twenty heavy", ("cli.options.plan:SERVED_RATE",)),
    ("docs/gate.md", "one of twenty heavy", "one of twenty heavy", ("cli.options.plan:SERVED_HEAVY == 1 / 20",)),
    ("docs/gate.md", "8 pairs a cell (`--rounds`)", "{} pairs a cell (`--rounds`)", ("cli.options.gate:_ROUNDS",)),
    ("docs/gate.md", "24 more than the screening's (`--confirm`;", "{} more than the screening's (`--confirm`;",
     ("cli.options.gate:_CONFIRM",)),
    ("docs/gate.md", "screens by 4 pairs,", "screens by {} pairs,", ("gate.criteria:QUICK_ROUNDS",)),
    ("docs/gate.md", "until there are 8, 12, 20 and 36 at most", "until there are {}, {}, {} and {} at most",
     ("gate.criteria:QUICK_ROUNDS * 2", "gate.criteria:QUICK_ROUNDS * 3", "gate.criteria:QUICK_ROUNDS + gate.criteria:QUICK_CONFIRM",
      "gate.criteria:QUICK_ROUNDS + 2 * gate.criteria:QUICK_CONFIRM")),
    ("docs/gate.md", "a minute and 6 s a cell", "a minute and {} s a cell", ("runner.paired_session:_QUICK_CELL_S",)),
    ("docs/gate.md", "with 99% confidence", "with {}% confidence", ("gate.certainty:SURE * 100",)),
    ("docs/gate.md", "a change counts from 10%", "a change counts from {}%", ("analysis.compare:NOISE_THRESHOLD * 100",)),
    ("docs/gate.md", "of availability from 10 percentage points", "of availability from {} percentage points",
     ("analysis.compare:NOISE_THRESHOLD * 100",)),
    ("docs/gate.md", "for 90 days", "for {} days", ("cli.accept:_DAYS",)),
    ("docs/gate.md", "a budget of 10% beyond", "a budget of {}% beyond", ("cli.accept:_MARGIN * 100 - 100",)),
    ("docs/gate.md", "needs three values on either side and 2%", "needs three values on either side and {}%",
     ("stats.changes:_LEAST * 100",)),
    ("docs/pytest.md", "Stalls are counted from 5 ms", "Stalls are counted from {} ms", ("pytest_plugin.session:_THRESHOLD_S * 1000",)),
    ("docs/pytest.md", "for another 0.3 s under the monitor", "for another {} s under the monitor",
     ("pytest_plugin.benchmark:_WATCHED_NS / MS / 1000",)),
    ("docs/reports.md", "under 65,536 characters", "under {} characters", ("report.markdown:_LIMIT",)),
    ("docs/reports.md", "is over twice the service time", "is over twice the service time", ("analysis.diagnosis:_QUEUED == 2",)),
    ("docs/reports.md", "takes 1.1 times the time per job", "takes {} times the time per job", ("analysis.diagnosis:_DEARER",)),
    ("docs/reports.md", "is 1.5 times the cure's", "is {} times the cure's", ("analysis.contrasts:LEAST",)),
    ("docs/reports.md", "for over 2% of the time", "for over {}% of the time", ("analysis.diagnosis:_NOISE * 100",)),
    ("docs/reports.md", "with less than 90% confidence", "with less than {}% confidence", ("analysis.diagnosis:_CONFIDENT * 100",)),
    ("docs/results.md", "reduced to 400 peaks", "reduced to {} peaks", ("monitor.series:_CAPACITY",)),
    ("docs/results.md", "the 100 longest; all are counted", "the {} longest; all are counted", ("harness.measurement:_STALLS",)),
    ("docs/results.md", "(`--noise`, 10%; of", "(`--noise`, {}%; of", ("analysis.compare:NOISE_THRESHOLD * 100",)),
    ("docs/results.md", "of availability 10 points", "of availability {} points", ("analysis.compare:NOISE_THRESHOLD * 100",)),
    ("docs/results.md", "a 95% bootstrap interval", "a {}% bootstrap interval", ("stats.ratio:_CONFIDENCE * 100",)),
    ("docs/results.md", "needs four runs a side", "needs four runs a side", ("stats.ratio:MIN_RUNS == 4",)),
    ("docs/decisions/measuring.md", "0.38 s of load by default", "{} s of load by default", ("cli.options.plan:RUN_SECONDS",)),
    ("docs/how-detection-works.md", "more than 1.5 ms later", "more than {} ms later", ("monitor.probes.base:LATE_NS / MS",)),
    ("docs/how-detection-works.md", "up to 96 times", "up to {} times", ("monitor.outside.looker:_MOST_LOOKS",)),
    ("docs/how-detection-works.md", "keeps eight of these glimpses", "keeps eight of these glimpses", ("monitor.evidence:_GLIMPSES == 8",)),
    ("docs/how-detection-works.md", "longer than 0.4 ms", "longer than {} ms", ("monitor.evidence:_LATE_NS / MS",)),
    ("docs/how-detection-works.md", "the 1,000 longest stalls", "the {} longest stalls", ("monitor.context_manager:_KEPT",)),
    ("docs/how-detection-works.md", "every half of the threshold", "every half of the threshold",
     ("monitor.probes.heartbeat:_BEAT_SHARE == 0.5",)),
    ("docs/how-detection-works.md", "every 16 thresholds", "every {} thresholds", ("monitor.probes.heartbeat:_SILENT_BEAT_SHARE",)),
    ("docs/ways-out.md", "five rounds, and up to fifteen", "five rounds, and up to fifteen",
     ("advice.plan:ROUNDS == 5", "advice.plan:MOST_ROUNDS == 15")),
    ("docs/ways-out.md", "a quarter of the time, 50 a second at most", "a quarter of the time, {1} a second at most",
     ("advice.plan:_BUSY == 0.25", "advice.plan:_FASTEST")),
    ("docs/ways-out.md", "by 15% and 0.3 ms", "by {}% and {} ms", ("exp(advice.choose:_MARGIN) * 100 - 100", "advice.choose:_LEAST_NS / MS")),
    ("docs/ways-out.md", "beat a thread by 40%", "beat a thread by {}%", ("exp(advice.choose:_WIDE_MARGIN) * 100 - 100",)),
    ("docs/ways-out.md", "more than 70% of this machine's cores", "more than {}% of this machine's cores", ("advice.choose:_LOADED * 100",)),
    ("docs/ways-out.md", "a job takes 5 s and more", "a job takes {} s and more", ("advice.choose:_LONG_NS / MS / 1000",)),
    ("docs/ways-out.md", "others still wait 5 ms", "others still wait {} ms", ("advice.choose:_HARMFUL_NS / MS",)),
    ("docs/ways-out.md", "fewer than 3 runs or 15 jobs", "fewer than {} runs or {} jobs",
     ("advice.choose:FEWEST_RUNS", "advice.choose:FEWEST_JOBS")),
]  # fmt: skip
"""Document, what it says, the same with gaps, and where the figures of the gaps are: constants of the code."""


def value(expression):
    """Returns what an expression over a constant comes to."""
    names = {"MS": MS, "exp": math.exp}
    for number, path in enumerate(re.findall(r"[a-z_.]+:[A-Z_]+", expression)):
        names[f"c{number}"] = of(path)
        expression = expression.replace(path, f"c{number}")
    found = eval(expression, {"__builtins__": {}}, names)  # noqa: S307  # our own table
    return round(found, 6) if isinstance(found, float) else found


@pytest.mark.parametrize(("document", "said", "gaps", "expressions"), FIGURES, ids=[item[1] for item in FIGURES])
def test_figure_is_that_of_the_code(document, said, gaps, expressions):
    text = " ".join((ROOT / document).read_text(encoding="utf-8").split())
    assert said in text
    values = [value(expression) for expression in expressions]
    assert [found for found in values if found is False] == []
    assert gaps.format(*map(plain, values)) == said


def test_looks_come_when_the_documents_say():
    from loopstall.monitor.probes.base import Pace

    text = " ".join((ROOT / "docs" / "how-detection-works.md").read_text(encoding="utf-8").split())
    assert "no sign of life for 60% of the threshold, 40% after a wait for events that was long," in text
    assert "at most once in half the threshold" in text
    assert (Pace.of(1000), Pace.after_a_wait(1000)) == (Pace(500, 600), Pace(300, 400))


def test_defaults_of_options_are_those_that_help_and_documents_say(tmp_path):
    from helpers import loopstall

    for command, option, default in (
        ("gate", "--effect", "2%"), ("gate", "--alpha", "1%"), ("run", "--threshold", "5ms"), ("run", "--budget", "50ms"),
        ("watch", "--threshold", "20ms"), ("serve-bench", "--threshold", "20ms"),
    ):  # fmt: skip
        shown = " ".join(loopstall(command, "--help", cwd=tmp_path).stdout.split())
        assert re.search(rf"{option} [A-Z]+ [^-]*\[default: {default}\]", shown), (command, option)
    gate = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
    assert "(`--alpha`, 1%)" in gate
    assert "(`--effect`, 2%)" in gate


def tables(document, heading):
    """Returns the names in the first column of the tables below a heading."""
    text = "\n" + (ROOT / "docs" / document).read_text(encoding="utf-8")
    part = text.partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    assert part, heading
    return [
        name for cell in re.findall(r"^\| (`[^|]+) \|", part, re.MULTILINE) for name in re.findall(r"`([\w-]+)`", cell)
    ]


def test_tables_of_workloads_dispatches_and_loops_are_complete():
    from loopstall.dispatch import DISPATCHES
    from loopstall.loops import LOOPS
    from loopstall.workloads.loader import discover

    bundled = ROOT / "workloads"
    names = {name for name, item in discover().items() if bundled.samefile(item.path.rpartition("/")[0])}
    assert set(tables("workloads.md", "## What is there")) == names
    ways = {
        *tables("workloads.md", "## Strategies"),
        *tables("ways-out.md", "## Queues, clusters, interpreters: more dispatches"),
    }
    assert ways == set(DISPATCHES)
    said = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("workloads.md", "ways-out.md"))
    assert [name for name in LOOPS if f"`{name}`" not in said] == []


def test_default_matrix_is_what_the_documents_say():
    from loopstall.records import Load
    from loopstall.runner import matrix
    from loopstall.workloads.loader import find

    chosen = find([])
    text = (ROOT / "docs" / "workloads.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"^((?:`\w+`(?:, | and ))+`\w+`) are the default matrix", text, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", said)) == {item.name for item in chosen}
    assert "measures three workloads under every strategy" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(chosen) == 3
    cells, skipped = matrix.build(chosen, matrix.override(chosen, []), matrix.strategies(), Load(jobs=1))
    assert (
        f"# {len(cells) + len([item for item in skipped if 'installed' in item.reason])} cells in 5 fresh processes"
        in (ROOT / "reports" / "sample" / "README.md").read_text(encoding="utf-8")
    )


def test_formats_metrics_and_rules_of_the_documents_are_those_of_the_code():
    from loopstall.analysis.contrasts import CONTRASTS
    from loopstall.analysis.rules import RULES
    from loopstall.report.formats import FORMATS
    from loopstall.results import outputs

    assert set(tables("reports.md", "# Reports")) == set(FORMATS)
    rules = tables("reports.md", "## Findings")
    assert set(rules) == set(RULES)
    gate = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"`--format` is one of ([^a-zA-Z]*(?:`\w+`[, ]*)+)", gate)
    assert re.findall(r"`(\w+)`", said) == list(outputs.FORMATS)
    assert CONTRASTS


def test_supported_pythons_are_the_same_everywhere():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = [item.rpartition(" ")[2] for item in project["classifiers"] if re.search(r":: 3\.\d+$", item)]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"Python {listed[0]} to {listed[-1]}." in readme
    assert project["requires-python"] == f">={listed[0]}"
    assert f"With Python {listed[0]} or newer" in readme
    nox = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    assert [f'"{version}"' in nox for version in listed] == [True] * len(listed)


def test_packages_of_the_suite_that_the_readme_names_are_in_it():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    parts = re.search(r"loopstall\[([\w,]+)\]", " ".join(extras["suite"]))[1].split(",")
    inside = " ".join(text for part in ["suite", *parts] for text in extras[part])
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    (said,) = re.findall(r"the extra `suite` adds (.+?), among others", readme)
    names = re.split(r", | and ", said)
    assert len(names) == 7
    assert [name for name in names if name not in inside] == []
    named = {item for path in DOCUMENTS for item in re.findall(r"loopstall\[(\w+)\]", path.read_text(encoding="utf-8"))}
    assert named <= set(extras)


def test_documented_metrics_are_those_that_are_exported():
    import loopstall.metrics

    pytest.importorskip("prometheus_client")
    from prometheus_client import CollectorRegistry, generate_latest

    text = (ROOT / "docs" / "watch.md").read_text(encoding="utf-8")
    said = set(re.findall(r"`(loopstall_\w+)", text))
    registry = CollectorRegistry()
    metrics = loopstall.metrics.LoopMetrics().start()
    try:
        metrics.to_prometheus(registry)
        shown = generate_latest(registry).decode()
    finally:
        metrics.stop()
    exported = {name.removesuffix("_total") for name in re.findall(r"^# TYPE (\w+)", shown, re.MULTILINE)}
    assert {name.removesuffix("_total") for name in said} == exported
