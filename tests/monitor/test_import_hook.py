import importlib
import importlib.util
import sys

import pytest

from loopstall.monitor.import_hook import ImportHook


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "later_on.py").write_text("value = 5\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "later_on"
    sys.modules.pop("later_on", None)


def test_it_tells_once_when_a_module_has_been_imported(module):
    told = []
    waiting = ImportHook({module: told.append})
    assert told == []
    made = importlib.import_module(module)
    assert told == [made]
    assert made.value == 5
    assert type(made.__spec__.loader).__module__ != "loopstall.monitor.import_hook"
    importlib.reload(made)
    assert told == [made]
    waiting.stop()
    assert waiting not in sys.meta_path


def test_looking_for_a_module_is_not_importing_it(module):
    told = []
    waiting = ImportHook({module: told.append})
    assert importlib.util.find_spec(module) is not None
    assert told == []
    importlib.import_module(module)
    assert len(told) == 1
    waiting.stop()


def test_what_is_there_already_is_told_at_once(module):
    made = importlib.import_module(module)
    told = []
    waiting = ImportHook({module: told.append})
    assert told == [made]
    assert waiting not in sys.meta_path


def test_stopped_it_tells_nothing_and_a_missing_module_stays_missing(module):
    told = []
    waiting = ImportHook({module: told.append, "never_there_at_all": told.append})
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("never_there_at_all")
    waiting.stop()
    importlib.import_module(module)
    assert told == []
