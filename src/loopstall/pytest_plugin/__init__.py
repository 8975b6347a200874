"""The pytest plugin: a test in which an event loop stalls for longer than its budget fails.

Off unless asked for by ``--stall-budget``, the ini setting ``stall_budget``, the environment variable
``LOOPSTALL_BUDGET``, another of its options, a mark or the fixture; what does the work is imported only then.
"""

from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from loopstall.pytest_plugin.benchmark import LoopBenchmark
    from loopstall.pytest_plugin.recorder import Stalls
    from loopstall.pytest_plugin.session import StallPlugin

__all__ = ["loop_benchmark", "pytest_addoption", "pytest_collection_modifyitems", "pytest_configure", "stalls"]

_NAME = "loopstall-budget"
_VARIABLE = "LOOPSTALL_BUDGET"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options and settings."""
    group = parser.getgroup("loopstall", "event loops that are blocked")
    text = f"Fail a test that blocks an event loop for longer, like 50ms. [{_VARIABLE}]"
    group.addoption("--stall-budget", metavar="TIME", help=text)
    group.addoption("--stall-total", metavar="TIME", help="Fail a test whose stalls sum up to more, like 200ms.")
    text = "Write the session's stalls to FILE: .html, .json, .junit or .speedscope.json."
    group.addoption("--stall-report", metavar="FILE", help=text)
    text = "Accept what breaks the budget today: add it to loopstall-accepted.toml instead of failing."
    group.addoption("--stall-baseline", choices=("write",), help=text)
    text = "Print a test that blocks an event loop for longer, while it still does; or never. [1s]"
    group.addoption("--stall-hang-after", metavar="TIME", default="1s", help=text)
    text = "Who looks at a loop that is late: a helper process (outside), or a thread of the tests' (inside). [auto]"
    group.addoption("--stall-sampler", metavar="WHO", help=text)
    parser.addini("stall_budget", "Fail a test that blocks an event loop for longer, like 50ms.")
    parser.addini("stall_total", "Fail a test whose stalls sum up to more, like 200ms.")


def pytest_configure(config: pytest.Config) -> None:
    """Turns the plugin on where it is asked for."""
    config.addinivalue_line(
        "markers",
        "stall_budget(budget, reason=None): fail the test if it blocks an event loop for longer than budget, like"
        ' "20ms"; None, with a reason, for no limit.',
    )
    budgets = _asked(config, "stall_budget", _VARIABLE) or _asked(config, "stall_total")
    if config.getoption("stall_baseline") and not budgets:
        raise pytest.UsageError("--stall-baseline write needs a budget to hold today's stalls against: --stall-budget")
    if budgets or config.getoption("stall_report"):
        _turned_on(config)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Turns the plugin on where a test has a budget of its own, and refuses marks that say nothing."""
    marked = [item for item in items if item.get_closest_marker("stall_budget") is not None]
    if marked:
        _turned_on(config).check(marked)


@pytest.fixture
def stalls(request: pytest.FixtureRequest) -> "Iterator[Stalls]":
    """The stalls of this test's event loops, and windows that alone count: ``with stalls.window("checkout")``."""
    with _turned_on(request.config).asked_by(request.node) as found:
        yield found


@pytest.fixture
def loop_benchmark(request: pytest.FixtureRequest) -> "Iterator[LoopBenchmark]":
    """Benchmarks an ``async def`` in a running loop by pytest-benchmark: ``loop_benchmark(f, loop="uvloop")``."""
    if not request.config.pluginmanager.has_plugin("benchmark"):
        pytest.fail("loop_benchmark needs pytest-benchmark: pip install pytest-benchmark", pytrace=False)
    _import_as_they_are(request.config)
    from loopstall.pytest_plugin.benchmark import LoopBenchmark  # off costs nothing

    with LoopBenchmark(request.getfixturevalue("benchmark")) as made:
        yield made


def _asked(config: pytest.Config, name: str, variable: str = "") -> str:
    return str(config.getoption(name) or os.environ.get(variable) or config.getini(name) or "")


class _AsTheyAre:
    """Finds this package's modules before pytest does, which compiles those of a plugin anew to explain its assertions.

    There are none. Where Python may write no files (``PYTHONDONTWRITEBYTECODE``), that would be done in every session.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Finds a module of this package, and no other."""
        return PathFinder.find_spec(name, path, target) if name.startswith("loopstall.") else None


def _import_as_they_are(config: pytest.Config) -> None:
    """Has this package's modules imported as they are, until the session ends."""
    if _AsTheyAre not in sys.meta_path:
        sys.meta_path.insert(0, _AsTheyAre)
        config.add_cleanup(_import_as_pytest_does)


def _import_as_pytest_does() -> None:
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not _AsTheyAre]


def _turned_on(config: pytest.Config) -> "StallPlugin":
    """Returns what does the work, registered now or before."""
    return config.pluginmanager.get_plugin(_NAME) or _turn_on(config)


def _turn_on(config: pytest.Config) -> "StallPlugin":
    _import_as_they_are(config)
    from loopstall.pytest_plugin.session import StallPlugin  # off costs nothing

    made = StallPlugin(
        config,
        budget=_asked(config, "stall_budget", _VARIABLE),
        total=_asked(config, "stall_total"),
        report=config.getoption("stall_report") or "",
        baseline=bool(config.getoption("stall_baseline")),
        hang_after=config.getoption("stall_hang_after"),
        sampler=config.getoption("stall_sampler"),
    )
    config.pluginmanager.register(made, _NAME)
    return made
