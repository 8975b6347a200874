"""The gate's verdicts for people and machines: pure functions of records."""

from collections import Counter
from collections.abc import Sequence

from loopstall.analysis.told import change
from loopstall.records import BROKEN, Skipped, Verdict
from loopstall.records.units import counted
from loopstall.report.escape import printable
from loopstall.report.text import place

__all__ = ["detail", "explained", "gate_sentence", "left_out", "ordered", "sentence"]

_TOLD = ("failed", "regressed", BROKEN, "inconclusive", "removed")
_ALONE = ("failed", "regressed")
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


def explained(verdicts: Sequence[Verdict]) -> list[tuple[Verdict, str, str]]:
    """Tells all of what a reader has to act on: a verdict, of what it is one, and the lines of ``detail``.

    Cells that could not be judged for the same reason are told together.
    """
    told = [item for item in ordered(verdicts) if item.verdict in _TOLD or item.accepted]
    alike = Counter((item.verdict, item.rule) for item in told)
    found: list[tuple[Verdict, str, str]] = []
    for item in told:
        count = alike[item.verdict, item.rule]
        if item.verdict in _ALONE or count == 1:
            found.append((item, item.name, detail(item)))
        elif not any((one.verdict, one.rule) == (item.verdict, item.rule) for one, _, _ in found):
            found.append((item, f"{count} cells", printable(item.rule)))
    return found


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
    return [f"not measured, {counted(count, 'cell')}: {why}" for why, count in reasons.items()]


def detail(item: Verdict) -> str:
    """Describes a verdict in lines: the rule, the place, the stack, the figures that the rule has not told."""
    lines = [item.rule]
    if item.accepted:
        lines.append(f"accepted: {item.accepted}")
    if item.culprit is not None:
        lines.append(f"culprit: {place(item.culprit)}")
    lines += [f"  {place(frame)}" for frame in item.stack]
    lines += [text for text in map(change, item.findings) if text not in item.rule]
    if item.pairs:
        lines.append(f"{counted(item.pairs, 'pair')} measured")
    return "\n".join(map(printable, lines))
