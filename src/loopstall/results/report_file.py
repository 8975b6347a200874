"""A report as data, as `report --format json` writes it, and back: figures, findings and verdicts without the runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from loopstall.analysis.content import Content, Digest
from loopstall.analysis.diagnosis import Diagnosis
from loopstall.analysis.metrics import METRICS
from loopstall.analysis.rules import OF_TRAPS, RULES, Rule
from loopstall.analysis.summary import Budget, Budgets
from loopstall.errors import InputError
from loopstall.records import (
    SCHEMA_VERSION,
    Cell,
    Estimate,
    Load,
    RunError,
    Skipped,
    Strategy,
    Summary,
    WorkloadRef,
)
from loopstall.records.cells import strategy_shown
from loopstall.report.json_csv import CellReport, Document, FindingReport, Left

__all__ = ["read"]

_NO_RUNS = (
    "Read from a report as data, which has figures and findings and no runs: its results folder has curves, timelines"
    " and stacks as well."
)


def read(path: Path, content: bytes, *, root: Path | None = None) -> Digest:
    """Reads what ``report.json_csv.to_json`` wrote.

    Args:
        path: the file, for messages.
        content: its bytes.
        root: the checkout to which paths in annotations are relative.

    Raises:
        InputError: the file is damaged, or of a newer version.
    """
    try:
        made = msgspec.json.decode(content, type=Document)
        if made.version > SCHEMA_VERSION:
            raise InputError(
                f"{path} has version {made.version} of the format and this loopstall reads up to {SCHEMA_VERSION};"
                " upgrade loopstall"
            )
        summaries = tuple(map(_summary, made.cells))
    except (msgspec.MsgspecError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}; write the report again") from error
    cells = [item.cell for item in summaries]
    skipped = tuple(_skipped(item, cells) for item in made.skipped)
    verdicts = tuple(replace(item, strategy=strategy_shown(item.strategy)) for item in made.verdicts)
    budgets = Budgets(
        common=_budget(made.budget) if made.budget is not None else Budget(),
        own={name: _budget(item) for name, item in made.budgets.items()},
    )
    return Digest(
        content=Content(title=made.title, runs=(), skipped=skipped, budgets=budgets, verdicts=verdicts,
                        notes=(_NO_RUNS,), root=root),
        samples={cell: [] for cell in cells},
        summaries=summaries,
        skipped=skipped,
        diagnoses=tuple(_diagnosis(item, summaries) for item in made.findings),
        restored=True,
    )  # fmt: skip


def _budget(item: object) -> Budget:
    return msgspec.convert(item, type=Budget, from_attributes=True)


def _summary(item: CellReport) -> Summary:
    missing = [name for name in METRICS if name not in item.figures] if item.runs else []
    if missing:
        raise ValueError(f"{item.workload} has no figure {missing[0]}")
    return Summary(
        cell=Cell(
            workload=WorkloadRef(path=item.file, name=item.workload),
            params=tuple(item.params.items()),
            strategy=Strategy(loop=item.loop, dispatch=item.dispatch),
            load=Load.parse(item.load),
            control=item.control,
        ),
        runs=item.runs,
        estimates=tuple(
            (name, Estimate(value=one.value, low=one.low, high=one.high, confidence=one.confidence, runs=one.runs))
            for name, one in item.figures.items()
            if name in METRICS
        ),
        trap=item.trap,
        broke=item.broke,
        why=item.why,
        broken=item.broken,
        culprit=item.culprit,
        error=RunError(kind="failed", message=item.error) if item.error else None,
    )


def _skipped(item: Left, measured: Sequence[Cell]) -> Skipped:
    """Returns a cell that was not measured: of the workload that others of its row have, where there are any."""
    loop, _, dispatch = item.strategy.partition("/")
    strategy = Strategy(loop=loop, dispatch=dispatch)
    like = next((cell for cell in measured if cell.row == item.row), None)
    if like is None:
        load = measured[0].load if measured else Load()
        like = Cell(workload=WorkloadRef(path="", name=item.row), strategy=strategy, load=load)
    return Skipped(cell=replace(like, strategy=strategy), reason=item.reason)


def _diagnosis(item: FindingReport, summaries: Sequence[Summary]) -> Diagnosis:
    here = {str(one.cell.strategy): one.cell for one in summaries if one.cell.row == item.row}
    cells = [here[name] for name in map(strategy_shown, item.strategies) if name in here]
    recommended = here.get(strategy_shown(item.recommended))
    return Diagnosis(
        rule=_rule(item, recommended=recommended is not None),
        weight=(0 if item.rule == "failed" else 1 if cells and item.rule in OF_TRAPS else 3, 0),
        measured=item.measured,
        threshold=item.threshold,
        cell=cells[0] if cells else None,
        culprit=item.culprit,
        better=item.better,
        price=item.price,
        alternative=item.alternative,
        command=item.command,
        recommended=recommended,
        others=tuple(cells[1:]),
    )


def _rule(item: FindingReport, *, recommended: bool) -> Rule:
    """Returns a finding's rule with what it advised, which depends on the Python that was measured."""
    known: Mapping[str, Rule] = RULES
    rule = known.get(item.rule) or Rule(name=item.rule, title=item.title, cause="", advice=item.advice)
    return replace(rule, title=item.title, advice=rule.advice if recommended else item.advice)
