"""The gate's verdicts for people and machines: pure functions of records."""

from collections import Counter
from collections.abc import Sequence

from loopstall.analysis.metrics import METRICS
from loopstall.records import BROKEN, Finding, Skipped, Verdict
from loopstall.records.units import format_value
from loopstall.report.escape import printable

__all__ = ["change", "detail", "gate_sentence", "left_out", "ordered", "sentence"]

_WORDS = ("failed", "regressed", BROKEN, "inconclusive", "improved", "added", "removed", "ok")


def ordered(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Returns the verdicts, those first that a reader has to act on."""
    return sorted(verdicts, key=lambda item: _WORDS.index(item.verdict))


def sentence(verdicts: Sequence[Verdict]) -> str:
    """Counts the verdicts: "1 regressed, 29 ok"."""
    counts = Counter(item.verdict for item in verdicts)
    said = ", ".join(f"{counts[word]} {word}" for word in _WORDS if counts[word]) or "nothing was measured"
    accepted = sum(bool(item.accepted) for item in verdicts)
    return f"{said} ({accepted} accepted)" if accepted else said


def gate_sentence(verdicts: Sequence[Verdict]) -> str:
    """Sums a gate's verdicts up in a sentence or two, with the worst cell."""
    said = f"Gate: {sentence(verdicts)}."
    worst = ordered(verdicts)[0]
    if worst.verdict not in {"failed", "regressed"}:
        return said
    return f"{said} {worst.name}: {worst.rule}."


def left_out(skipped: Sequence[Skipped]) -> list[str]:
    """Lists the reasons why cells were not measured, a sentence each."""
    reasons = Counter(item.reason for item in skipped)
    return [f"not measured, {count} cells: {why}" for why, count in reasons.items()]


def change(item: Finding) -> str:
    """Writes a finding: "time per job 10.2 ms → 11.3 ms, +10.4% [+9.8%, +11.2%]"."""
    metric = METRICS[item.metric]
    sides = " → ".join(format_value(value, metric.unit) for value in (item.base, item.head))
    points = " of the time lost" if metric.unit == "share" else ""
    bounds = f"[{item.change.low:+.1%}, {item.change.high:+.1%}]"
    return printable(f"{metric.label} {sides}, {item.change.value:+.1%} {bounds}{points}")


def detail(item: Verdict) -> str:
    """Describes a verdict in lines: the rule, the place, the stack, the figures."""
    lines = [item.rule]
    if item.accepted:
        lines.append(f"accepted: {item.accepted}")
    if item.culprit is not None:
        lines.append(f"culprit: {item.culprit}")
    lines += [f"  {frame}" for frame in item.stack]
    lines += [change(finding) for finding in item.findings]
    if item.pairs:
        lines.append(f"{item.pairs} pairs were measured")
    return "\n".join(map(printable, lines))
