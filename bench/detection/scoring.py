"""The figures of one detector from its records: pure functions, which read no clock and start nothing.

A record is what one injected stall came to: its ``truth``, its length ``ns``, the ``reports`` about it, and the ``run``
that it belongs to. A clean run and one under noise have a record each, of all that was reported.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
import math
import statistics
from typing import Any

Record = dict[str, Any]
Found = list[tuple[Record, Record]]
"""Records with the report that each got."""
_Z = 1.959964  # of a normal distribution, for 95%
_CUT_SHORT = 0.9
_DISTURBED_SHARE = 0.2
_CULPRIT_SHARE = 0.5
_COMPUTING_SHARE = 0.25
QUIET, COLD = "quiet", "cold"
ALONE = {QUIET, COLD}
"""Runs in which nothing else should take the CPUs; a stall of theirs that something has disturbed is left out."""
NONE = "-"


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Returns the 95% interval of a share (Wilson's, without a correction for continuity)."""
    share, square = hits / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    reach = _Z / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def share(judged: Iterable[object]) -> str:
    """Formats the share of what is true, with how many there are and its interval."""
    hits = [bool(one) for one in judged]
    if not hits:
        return NONE
    low, high = wilson(sum(hits), len(hits))
    return f"{sum(hits) / len(hits):.1%} ({sum(hits)}/{len(hits)}) [{low:.1%}, {high:.1%}]"


def matched(record: Record) -> Record | None:
    """Returns the report that an injection got: the longest of half its length and more, or one without a length.

    What came before the stall had begun is about another one, which the machine has made; so is what began after its
    end, by its length, where another report did not.
    """
    known = record["truth"]["known_length"]
    fitting = [r for r in record["reports"] if r["ns"] == 0 or r["ns"] >= record["ns"] / 2 or not known]
    if "begun_ns" in record:
        fitting = [r for r in fitting if r["at_ns"] >= record["begun_ns"]]
        ended_ns = record["begun_ns"] + record["ns"]
        fitting = [r for r in fitting if r["at_ns"] - r["ns"] < ended_ns] or fitting
    return max(fitting, key=lambda report: int(report["ns"]), default=None)


def right_line(record: Record, report: Record) -> bool:
    """Says whether the innermost line that was named is one of the marked ones."""
    named = report.get("places" if record["truth"]["in_loop"] else "holder_places") or []
    return bool(named) and named[0] in record["truth"]["places"]


def right_thread(record: Record, report: Record) -> bool:
    """Says whether the line and the name of the thread that held the GIL are the true ones."""
    return right_line(record, report) and report.get("holder_thread") == record["truth"]["thread"]


def right_cause(record: Record, report: Record) -> bool:
    """Says whether the cause is the true one; a detector that says just "cpu" is right for both kinds of it."""
    truth = record["truth"]["cause"]
    return report.get("cause") == truth or (report.get("cause") == "cpu" and truth.startswith("cpu"))


def blamed(record: Record) -> int:
    """Returns how many reports were not put down to the machine."""
    return sum(report.get("cause") != "descheduled" for report in record["reports"])


def cut_short(record: Record) -> bool:
    """Says whether a wait ended long before it should have."""
    return bool(record["ns"] < _CUT_SHORT * record["ms"] * 1e6)


def disturbed(record: Record) -> bool:
    """Says whether the machine kept the loop's thread from a CPU, or made the culprit the lesser part of its turn.

    Such a stall is not the program's alone, or not what it was meant to be; nor is a wait for a disk that is in memory,
    in which the kernel computes for the thread.
    """
    truth = record["truth"]
    delayed = truth["in_loop"] and record["delay_ns"] > _DISTURBED_SHARE * record["ns"]
    computed = truth["group"] == "waiting" and record["cpu_ns"] > _COMPUTING_SHARE * record["ns"]
    return bool(delayed or computed or truth["share"] < _CULPRIT_SHARE)


def own_ns(record: Record) -> float:
    """Returns the part of a stall that the program itself took, whatever else the machine has done meanwhile."""
    computes = record["truth"]["cause"].startswith("cpu")
    return float(record["cpu_ns"] if computes else min(record["ns"] - record["delay_ns"], record["ms"] * 1e6))


def least_ns(record: Record, limit: float) -> float:
    """Returns from what length on a stall counts: one that needs the GIL loses some of it before it begins."""
    return limit if record["truth"]["in_loop"] else 2 * limit


class Scores:
    """The records of one detector on one loop, and the figures that they come to.

    Args:
        records: of all runs.
        threshold_ms: from which length on there is something to report.
        has_gil: whether the interpreter had one; where it had none, other threads' work is no stall.
    """

    def __init__(self, records: Sequence[Record], threshold_ms: float, *, has_gil: bool = True) -> None:
        self._limit = threshold_ms * 1e6
        self._has_gil = has_gil
        self._by_run: dict[str, list[Record]] = {}
        for record in records:
            self._by_run.setdefault(record["run"], []).append(record)
        self._left_out: list[bool] = []
        for run in ALONE & self._by_run.keys():
            self._left_out += map(disturbed, self._by_run[run])
            self._by_run[run] = [r for r in self._by_run[run] if not disturbed(r)]

    def figures(self) -> dict[str, str]:
        """Returns all figures by name, in the order in which they are shown; without those of runs that were not."""
        figures: dict[str, str] = {}
        parts: dict[str, Callable[[list[Record]], dict[str, str]]] = {
            QUIET: self._quiet, "busy": self._busy, COLD: self._cold, "hang": _hang, "clean": _clean,
            "noise": _noise,
        }  # fmt: skip
        for run, part in parts.items():
            if run in self._by_run:
                figures |= part(self._by_run[run])
        if self._left_out:
            figures["left out, disturbed by the machine"] = share(self._left_out)
        return figures

    def stalls(self, run: str) -> list[Record]:
        """Returns the records of a run that are long enough to be reported."""
        kept = [r for r in self._by_run.get(run, []) if self._has_gil or r["truth"]["in_loop"]]
        return [r for r in kept if r["ns"] >= least_ns(r, self._limit)]

    def _quiet(self, records: list[Record]) -> dict[str, str]:
        own = [r for r in records if r["truth"]["in_loop"]]
        beside = [r for r in records if not r["truth"]["in_loop"]]
        limit = self._limit
        counted = records if self._has_gil else own
        return {
            "recall, 2x threshold and more": share(matched(r) for r in counted if r["ns"] >= 2 * limit),
            "recall at the threshold": share(matched(r) for r in own if limit <= r["ns"] < 1.5 * limit),
            "reported though below it": share(r["reports"] for r in own if r["ns"] < 0.9 * limit),
            "reported beside a busy thread": NONE if self._has_gil else share(map(blamed, beside)),
            "waits cut short": share(
                cut_short(r) for r in own if r["truth"]["group"] == "waiting" and not r["refused"]
            ),
            **self._told(),
        }

    def _told(self) -> dict[str, str]:
        """Returns the figures of the stalls that were found on a quiet machine."""
        found = _found(self.stalls(QUIET))
        own = [(r, m) for r, m in found if r["truth"]["in_loop"]]
        held = [(r, m) for r, m in found if not r["truth"]["in_loop"]]
        return {
            **_without_a_stack(own),
            "length error, median / p95 ms": _errors(own),
            "right line, in the loop": share(right_line(r, m) for r, m in own),
            "right line, longest of a turn": share(right_line(r, m) for r, m in _of(own, "turn")),
            "its share off by, median": _share_error(_of(own, "turn")),
            "right line, who held the GIL": share(right_line(r, m) for r, m in held),
            "right line and thread, who held it": share(right_thread(r, m) for r, m in held),
            "right cause, quiet": _causes(found),
            "right cause, long C calls": _causes(_of(found, "native")),
            "plain Python called cpu-native": _called_native(found),
        }

    def _busy(self, records: list[Record]) -> dict[str, str]:
        long = [r for r in records if r["truth"]["in_loop"] or self._has_gil]
        found = _found(r for r in long if own_ns(r) >= least_ns(r, self._limit))
        own = [(r, m) for r, m in found if r["truth"]["in_loop"]]
        return {
            "right cause, busy": _causes(found),
            "right line, in the loop, busy": share(right_line(r, m) for r, m in own),
            "length error, busy, median / p95 ms": _errors(own),
        }

    def _cold(self, _records: list[Record]) -> dict[str, str]:
        stalls = self.stalls(COLD)
        found = _found(stalls)
        return {
            "first stalls found": share(matched(r) for r in stalls),
            "first stalls, right line": share(right_line(r, m) for r, m in found),
            "first stalls, right cause": _causes(found),
            "first stalls, Python called cpu-native": _called_native(found),
        }


def _hang(records: list[Record]) -> dict[str, str]:
    told = [r["told"] for r in records]
    return {"told while it lasts": f"{'yes' if all(told) else 'no'}, {share(told)}"}


def _clean(records: list[Record]) -> dict[str, str]:
    return {"false reports on a clean run": "; ".join(map(_reported, records))}


def _noise(records: list[Record]) -> dict[str, str]:
    wrong = sum(map(blamed, records))
    return {
        "reported under noise": "; ".join(map(_reported, records)),
        "blamed on the program under noise": f"{wrong} in {sum(r['seconds'] for r in records):g} s",
    }


def _reported(record: Record) -> str:
    told = Counter(report["cause"] for report in record["reports"] if report.get("cause"))
    causes = ", ".join(f"{cause} {count}" for cause, count in told.most_common())
    return f"{len(record['reports'])} in {record['seconds']:g} s {causes}".strip()


def _found(records: Iterable[Record]) -> Found:
    return [(record, report) for record in records if (report := matched(record))]


def _of(found: Found, group: str) -> Found:
    return [(record, report) for record, report in found if record["truth"]["group"] == group]


def _causes(found: Found) -> str:
    return share(right_cause(r, m) for r, m in found if m.get("cause"))


def _called_native(found: Found) -> str:
    return share(m["cause"] == "cpu-native" for _, m in _of(found, "python") if m.get("cause"))


def _without_a_stack(found: Found) -> dict[str, str]:
    lengths = sorted({r["ms"] for r, _ in found})
    return {
        f"without a stack, {ms:g} ms": share(not m.get("stack", m["places"]) for r, m in found if r["ms"] == ms)
        for ms in lengths
    }


def _errors(found: Found) -> str:
    errors = sorted(abs(m["ns"] - r["ns"]) / 1e6 for r, m in found if m["ns"])
    if not errors:
        return NONE
    return f"{statistics.median(errors):.2f} / {errors[min(len(errors) - 1, round(0.95 * len(errors)))]:.2f}"


def _share_error(found: Found) -> str:
    """Returns how far the share of looks that met the culprit is from the share of the time that it took."""
    off = []
    for record, report in found:
        met = [place in record["truth"]["places"] for place in report.get("glimpses", ())]
        if met:
            off.append(abs(sum(met) / len(met) - record["truth"]["share"]))
    return f"{statistics.median(off):.1%}" if off else NONE
