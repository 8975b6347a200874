"""The pytest plugin: a test in which an event loop stalls for longer than its budget fails.

Off unless asked for by ``--stall-budget``, the ini setting ``stall_budget``, the environment variable
``LOOPSTALL_BUDGET``, another of its options, a mark or the fixture; what does the work is imported only then.
"""

from collections.abc import Iterator, Sequence
import contextlib
import os
import sys
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
    from loopstall.pytest_plugin.benchmark import LoopBenchmark  # off costs nothing

    with LoopBenchmark(request.getfixturevalue("benchmark")) as made:
        yield made


def _asked(config: pytest.Config, name: str, variable: str = "") -> str:
    return str(config.getoption(name) or os.environ.get(variable) or config.getini(name) or "")


@contextlib.contextmanager
def _as_they_are() -> Iterator[None]:
    """Has modules imported without pytest, which would compile all of a plugin's anew to explain its assertions.

    There are none. Where Python may write no files (``PYTHONDONTWRITEBYTECODE``), that would be done in every session.
    """
    before = sys.meta_path[:]
    sys.meta_path[:] = [one for one in before if not type(one).__module__.startswith("_pytest.assertion")]
    try:
        yield
    finally:
        sys.meta_path[:] = [*(one for one in sys.meta_path if one not in before), *before]


def _turned_on(config: pytest.Config) -> "StallPlugin":
    """Returns what does the work, registered now or before."""
    with _as_they_are():
        from loopstall.pytest_plugin.session import StallPlugin  # off costs nothing

    known = config.pluginmanager.get_plugin(_NAME)
    if isinstance(known, StallPlugin):
        return known
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
