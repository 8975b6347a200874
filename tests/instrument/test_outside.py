"""The helper of a watched program, where there can be none."""

import os
from pathlib import Path
import signal
import sys

from helpers import until
import pytest

from loopstall.instrument.outside import OutsideHelper
from loopstall.monitor.outside import owned
from loopstall.monitor.outside.link import VARIABLE
from loopstall.records.clock import NS_PER_S
from loopstall.records.units import format_ns

linux = pytest.mark.skipif(sys.platform != "linux", reason="the helper needs Linux")


def test_helper_that_cannot_be_had_is_a_sentence(tmp_path, monkeypatch):
    def start_helper(**_):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(owned, "start_helper", start_helper)
    monkeypatch.setattr(owned.sys, "platform", "linux")
    with OutsideHelper(tmp_path, hang_after_s=1.0) as helper:
        assert helper.variables == {}
        (fault,) = helper.faults
        assert fault.startswith("No helper process (Resource temporarily unavailable): a stall that goes on is not ")
        assert helper.take() == helper.last() == []


def test_other_systems_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(owned.sys, "platform", "darwin")
    with OutsideHelper(tmp_path, hang_after_s=1.0) as helper:
        assert helper.faults[0].startswith("No helper process (darwin shows no process the memory of another one)")


@linux
def test_cpu_time_of_the_helper_is_told_when_the_program_has_ended(tmp_path):
    with OutsideHelper(tmp_path, hang_after_s=1) as helper:
        counted = Path(f"/proc/{helper.variables[VARIABLE].split()[0]}/schedstat")
        assert until(lambda: int(counted.read_text().split()[0]) > 0)
        assert helper.cost(NS_PER_S) == []
        helper.last()
        assert helper.cost(2 * helper.cpu_ns) == [
            f"The helper process took {format_ns(helper.cpu_ns)} of CPU time, its start included: 50.0% of a CPU."
        ]


@linux
def test_helper_that_was_killed_has_no_cost(tmp_path):
    with OutsideHelper(tmp_path, hang_after_s=1) as helper:
        pid = int(helper.variables[VARIABLE].split()[0])
        os.kill(pid, signal.SIGKILL)
        assert until(lambda: not Path(f"/proc/{pid}").exists())
        helper.last()
        assert helper.cost(NS_PER_S) == []
