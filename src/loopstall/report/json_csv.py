"""Results as data for other programs: JSON with a published schema, and CSV."""

import inspect
from typing import Any

import msgspec

from loopstall.analysis.content import Digest
from loopstall.analysis.metrics import METRICS
from loopstall.analysis.summary import Budget
from loopstall.records import FORMAT, SCHEMA_VERSION, Frame, Skipped, Summary, Verdict
from loopstall.records.encoding import encode
from loopstall.report.escape import csv_row, json_text

__all__ = ["CellReport", "Document", "FindingReport", "Left", "json_schema", "to_csv", "to_json"]


_COLUMNS = (
    "workload", "params", "loop", "dispatch", "load", "run", "seed", "started_at", "metric", "value", "unit", "error"
)  # fmt: skip


class FigureReport(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of a cell: the median over its runs, its interval and the confidence of that."""

    value: float
    low: float
    high: float
    confidence: float
    runs: int
    unit: str


class BudgetReport(msgspec.Struct, frozen=True, kw_only=True):
    """The limits beyond which a run breaks a budget: the longest stall in ns, and the least availability (0 to 1)."""

    stall_ns: int
    availability: float


class CellReport(msgspec.Struct, frozen=True, kw_only=True):
    """The summary of a cell's runs; ``file`` has the workload, ``broken`` are the metrics that broke a budget.

    ``broke`` says in how many of the runs.
    """

    workload: str
    params: dict[str, int | float | str | bool]
    loop: str
    dispatch: str
    load: str
    control: bool
    runs: int
    trap: bool
    why: str
    culprit: Frame | None
    error: str
    figures: dict[str, FigureReport]
    file: str = ""
    broke: int = 0
    broken: tuple[str, ...] = ()


class FindingReport(msgspec.Struct, frozen=True, kw_only=True):
    """A finding: the rule and the measured value; ``row`` and ``strategies`` are empty where it is about all cells.

    Of a trap, ``recommended`` is the strategy to take instead, ``better`` what that one does, ``price`` what it costs
    in throughput, and ``alternative`` which one has far less lag and what that costs.
    """

    rule: str
    title: str
    measured: str
    threshold: str
    advice: str
    command: str
    row: str
    strategies: tuple[str, ...]
    culprit: Frame | None
    recommended: str = ""
    better: str = ""
    price: str = ""
    alternative: str = ""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that was not measured, and why."""

    row: str
    strategy: str
    reason: str


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A report as data; ``budgets`` are of single workloads, by name, ``budget`` of all others."""

    format: str
    kind: str
    version: int
    title: str
    cells: tuple[CellReport, ...]
    findings: tuple[FindingReport, ...]
    skipped: tuple[Left, ...]
    verdicts: tuple[Verdict, ...]
    budget: BudgetReport | None = None
    budgets: dict[str, BudgetReport] = {}


def to_json(made: Digest) -> str:
    """Renders a report as JSON; ``json_schema`` says of what shape."""
    document = Document(
        format=FORMAT,
        kind="report",
        version=SCHEMA_VERSION,
        title=made.content.title,
        cells=tuple(map(_cell, made.summaries)),
        findings=tuple(
            FindingReport(
                rule=item.rule.name,
                title=item.rule.title,
                measured=item.measured,
                threshold=item.threshold,
                advice=item.advice,
                command=item.command,
                row=item.cell.row if item.cell is not None else "",
                strategies=tuple(str(cell.strategy) for cell in (item.cell, *item.others) if cell is not None),
                culprit=item.culprit,
                recommended=str(item.recommended.strategy) if item.recommended is not None else "",
                better=item.better,
                price=item.price,
                alternative=item.alternative,
            )
            for item in made.diagnoses
        ),
        skipped=tuple(map(_left, made.skipped)),
        verdicts=tuple(made.content.verdicts),
        budget=_budget(made.content.budgets.common),
        budgets={name: _budget(one) for name, one in made.content.budgets.own.items()},
    )
    return json_text(encode(document).decode())


def json_schema(kind: type = Document) -> dict[str, Any]:
    """Returns the JSON Schema of ``to_json``, or of another document."""
    schema = msgspec.json.schema(kind)
    for part in schema["$defs"].values():
        if "description" in part:  # a docstring, whose indentation depends on the Python
            part["description"] = inspect.cleandoc(part["description"])
    return schema


def to_csv(made: Digest) -> str:
    """Renders a row a run and metric; a run that failed has one row with its error."""
    rows = [csv_row(*_COLUMNS)]
    for run in made.content.runs:
        cell = run.cell
        params = ", ".join(f"{name}={value}" for name, value in cell.params)
        words = (cell.workload.name, params, cell.strategy.loop, cell.strategy.dispatch, str(cell.load))
        head = [*words, run.index, run.seed, run.started_at]
        if run.measured is None:
            rows.append(csv_row(*head, "", "", "", run.error.message if run.error is not None else ""))
            continue
        rows += [csv_row(*head, metric.name, metric.read(run.measured), metric.unit, "") for metric in METRICS.values()]
    return "".join(rows)


def _cell(item: Summary) -> CellReport:
    cell = item.cell
    return CellReport(
        workload=cell.workload.name,
        params=dict(cell.params),
        loop=cell.strategy.loop,
        dispatch=cell.strategy.dispatch,
        load=str(cell.load),
        control=cell.control,
        runs=item.runs,
        trap=item.trap,
        why=item.why,
        culprit=item.culprit,
        error=item.error.message if item.error is not None else "",
        figures={
            name: FigureReport(
                value=one.value, low=one.low, high=one.high, confidence=one.confidence, runs=one.runs,
                unit=METRICS[name].unit,
            )
            for name, one in item.estimates
        },
        file=cell.workload.path,
        broke=item.broke,
        broken=item.broken,
    )  # fmt: skip


def _budget(item: Budget) -> BudgetReport:
    return BudgetReport(stall_ns=item.stall_ns, availability=item.availability)


def _left(item: Skipped) -> Left:
    return Left(row=item.cell.row, strategy=str(item.cell.strategy), reason=item.reason)
