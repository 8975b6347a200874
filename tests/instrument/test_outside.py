"""The helper of a watched program, where there can be none."""

from loopstall.instrument.outside import OutsideHelper
from loopstall.monitor.outside import owned


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
