"""The records that travel from stage to stage; each stage returns new ones.

Times are integers in ns while they are measured. A record holds built-in types alone, so that it goes to JSON
and back unchanged.
"""

from loopstall.records.cells import Cell, Load, Plan, Skipped, Strategy, Value, WorkloadRef
from loopstall.records.judged import (
    REGRESSION,
    STALL,
    Change,
    Comparison,
    Estimate,
    Finding,
    Reading,
    Summary,
    Trend,
    Verdict,
)
from loopstall.records.runs import NOT_TRIED, Burst, Environment, Histogram, Measured, Pair, Run, RunError, Series
from loopstall.records.sightings import Sighting, sighting_from, to_plain
from loopstall.records.stalls import DESCHEDULED, Evidence, Frame, Glimpse, Stall

__all__ = [
    "DESCHEDULED",
    "NOT_TRIED",
    "REGRESSION",
    "SCHEMA_VERSION",
    "STALL",
    "Burst",
    "Cell",
    "Change",
    "Comparison",
    "Environment",
    "Estimate",
    "Evidence",
    "Finding",
    "Frame",
    "Glimpse",
    "Histogram",
    "Load",
    "Measured",
    "Pair",
    "Plan",
    "Reading",
    "Run",
    "RunError",
    "Series",
    "Sighting",
    "Skipped",
    "Stall",
    "Strategy",
    "Summary",
    "Trend",
    "Value",
    "Verdict",
    "WorkloadRef",
    "sighting_from",
    "to_plain",
]

SCHEMA_VERSION = 1
