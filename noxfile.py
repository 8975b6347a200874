"""Everything that is done with the project; `nox -l` lists it."""

from pathlib import Path
import shutil

import nox

nox.needs_version = ">=2025.10.14"
nox.options.default_venv_backend = "uv|virtualenv"  # uv, where it is there, makes an environment in a second or two
nox.options.sessions = ["tests", "lint", "types"]
nox.options.error_on_missing_interpreters = False  # a machine with one Python tests on that one

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]

LOOSER = [
    "--allow-untyped-defs", "--allow-untyped-calls", "--allow-untyped-decorators", "--check-untyped-defs",
    *(f"--disable-error-code={code}" for code in ("name-defined", "import-not-found", "empty-body", "no-redef")),
]  # fmt: skip
"""For blocks of documents: they are short, name what is the reader's own, and are programs of their own."""

AGAIN = ("--reruns", "2", "--rerun-show-tracebacks", "-raR")
"""For tests that measure: a shared machine may disturb one, so a failed one runs again, and is listed as RERUN."""

MEASURED = "3.13"
"""The Python on which the tests' coverage is measured: it has ``sys.monitoring``, by which that costs little."""

_TESTED: list[str] = []
"""Sessions that have run tests: what does not depend on the Python is tested by the first."""


def group(name: str) -> list[str]:
    """Returns the requirements of a dependency group of pyproject.toml."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


def smoke_form(session: nox.Session) -> bool:
    """Runs the session's smoke form for `-- --smoke`, and says whether it was asked for; bench/smoke.py has them."""
    asked = "--smoke" in session.posargs
    if asked:
        session.run("python", "bench/smoke.py", session.name)
    return asked


@nox.session(python=PYTHONS, download_python="never")
def tests(session: nox.Session) -> None:
    """Run the tests on every supported Python that is there; arguments go to pytest."""
    servers = [] if _TESTED else group("servers")  # what needs them is tested once
    session.install("--quiet", "-e", ".[suite]", "pip", *group("test"), *servers)  # tests use the environment's own pip
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    again = " and not once" if _TESTED else ""
    _TESTED.append(session.name)
    beside = ("pytest", "-n", "2", "--dist", "loadfile", "-m")
    if session.python != MEASURED:
        session.run(*beside, f"not alone{again}")
    else:
        covered(session, *beside, "not alone and not once")
        if not again:
            session.run(*beside, "not alone and once")
    session.run("pytest", "-m", f"alone{again}", *AGAIN)


def covered(session: nox.Session, *words: str) -> None:
    """Runs tests, and fails where they cover less than the floor in pyproject.toml."""
    folder = Path(session.create_tmp()) / "coverage"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    kept = f"--data-file={folder / 'data'}"  # the variable for it would reach a test's own coverage, which erases it
    session.run("coverage", "run", kept, "-m", *words, env={"COVERAGE_CORE": "sysmon"})
    session.run("coverage", "combine", "--quiet", kept)
    session.run("coverage", "report", kept)


@nox.session
def mutation(session: nox.Session) -> None:
    """Fail for small changes of the statistics, the judge and the causes that no test notices; names choose some."""
    session.install("--quiet", "-e", ".[suite]", *group("test"), *group("mutation"))
    if not smoke_form(session):
        session.run("python", "bench/mutation.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style with ruff, dead code with vulture, who imports whom, words, and the workflows' schemas."""
    session.install("--quiet", "-e", ".", *group("lint"))  # import-linter reads the package where it is installed
    session.run("ruff", "check", *session.posargs, ".")
    session.run("ruff", "format", "--check", ".")
    session.run("vulture")
    session.run("lint-imports", "--no-logo")
    session.run("python", "tests/project/phrases.py")
    workflows = sorted(map(str, Path(".github/workflows").glob("*.yml")))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml")
    forms = sorted(str(path) for path in Path(".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-issue-forms", *forms)


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy: of the source strictly, of the documents' Python blocks as they stand."""
    session.install("--quiet", "-e", ".[suite]", *group("types"))
    session.run("mypy", *session.posargs)
    folder = Path(session.create_tmp()) / "documents"
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "tests/doc_blocks.py", str(folder))
    session.run("mypy", *LOOSER, str(folder))


@nox.session(venv_backend="none")
def smoke(session: nox.Session) -> None:
    """Run the smoke form of every session that measures or writes, one after the other; arguments choose some."""
    listed = session.run("python", "bench/smoke.py", "--list", silent=True, external=True)
    for name in session.posargs or str(listed).split():
        session.notify(name, ["--smoke"])


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the matrix and write its page to reports/; arguments replace --quick."""
    session.install("--quiet", ".[uvloop,aiofiles]")
    if not smoke_form(session):
        session.run("loopstall", "run", *(session.posargs or ["--quick"]))


@nox.session
def bench_all(session: nox.Session) -> None:
    """Measure every workload under every strategy and every server, one run each; what is missing says why."""
    session.install("--quiet", ".[suite,web,celery,dask,curio]", "httpx", "aiohttp", "trio")
    if smoke_form(session):
        return
    once = ("--processes", "1", *session.posargs)
    session.run("loopstall", "serve-bench", "--seconds", "2s", *once, success_codes=[0, 1])
    session.run("loopstall", "run", "--all", "--seconds", "200ms", *once, success_codes=[0, 1])


@nox.session
def advise_accuracy(session: nox.Session) -> None:
    """Hold the advice against servers of its own for twenty functions; arguments go to bench/advise_accuracy.py."""
    session.install("--quiet", ".")
    if not smoke_form(session):
        session.run("python", "bench/advise_accuracy.py", *session.posargs)


@nox.session
def idle_lag(session: nox.Session) -> None:
    """Hold the lag of idle loops against each other; arguments go to bench/idle_lag.py."""
    session.install("--quiet", ".[uvloop,trio]")
    if not smoke_form(session):
        session.run("python", "bench/idle_lag.py", *session.posargs)


@nox.session
def detectors(session: nox.Session) -> None:
    """Hold the monitor against other detectors on stalls with known truth; arguments go to bench/detectors.py."""
    session.install("--quiet", ".[uvloop]")
    for package in ("numpy", "aiodebug", "pyleak", "aiocop", "blockbuster", "livekit-agents"):
        session.install("--quiet", package, success_codes=[0, 1])  # one may not be there, or not for this Python
    if not smoke_form(session):
        session.run("python", "bench/detectors.py", *session.posargs)


@nox.session
def interleaved(session: nox.Session) -> None:
    """Measure what watching adds to an asyncio.run of nothing; arguments go to bench/interleaved.py."""
    session.install("--quiet", ".")
    if not smoke_form(session):
        session.run("python", "bench/interleaved.py", *session.posargs)


@nox.session
def helper_cost(session: nox.Session) -> None:
    """Measure start, memory and CPU of the helper process; arguments go to bench/helper_cost.py."""
    session.install("--quiet", ".")
    if not smoke_form(session):
        session.run("python", "bench/helper_cost.py", *session.posargs)


@nox.session
def start_time(session: nox.Session) -> None:
    """Hold the start time of the working tree against a commit; arguments go to bench/start_time.py."""
    session.install("--quiet", ".", *group("bench"))
    if not smoke_form(session):
        session.run("python", "bench/start_time.py", *session.posargs)


@nox.session
def suites(session: nox.Session) -> None:
    """Run the test suites of real projects without and with the pytest plugin; arguments go to bench/suites.py."""
    if not smoke_form(session):
        session.run("python", "bench/suites.py", *session.posargs)


@nox.session
def service(session: nox.Session) -> None:
    """Measure what watching costs a FastAPI service under load; arguments go to bench/fastapi_load.py."""
    session.install("--quiet", ".[uvloop]", "fastapi", "uvicorn")
    if not smoke_form(session):
        session.run("python", "bench/fastapi_load.py", *session.posargs)


@nox.session
def attached(session: nox.Session) -> None:
    """Hold `dump` and `watch --pid` against py-spy and others; arguments go to bench/attached.py."""
    session.install("--quiet", ".[uvloop]", "uvicorn")
    for package in ("gunicorn", "uvicorn-worker", "py-spy", "perpetuo"):
        session.install("--quiet", package, success_codes=[0, 1])  # one may not be there, or not for this Python
    if not smoke_form(session):
        session.run("python", "bench/attached.py", *session.posargs)


@nox.session
def stress(session: nox.Session) -> None:
    """Stress the monitor for ten minutes; arguments go to bench/stress.py."""
    session.install("--quiet", ".[uvloop]")
    if not smoke_form(session):
        session.run("python", "bench/stress.py", *session.posargs)


@nox.session
def pyperf(session: nox.Session) -> None:
    """Measure what each way off the loop costs a job, with pyperf, and our own cost beside hand-written code."""
    session.install("--quiet", ".[uvloop,anyio,trio,pyperf]")
    if smoke_form(session):
        return
    output = Path(session.create_tmp()) / "dispatch.json"
    output.unlink(missing_ok=True)
    session.run("python", "bench/dispatch_overhead.py", "-o", str(output), *(session.posargs or ["--fast"]))
    session.run("python", "-m", "pyperf", "stats", str(output))
    session.run("python", "bench/harness_cost.py")


@nox.session
def pytest_benchmark(session: nox.Session) -> None:
    """Measure the matrix with pytest-benchmark; arguments go to pytest."""
    session.install("--quiet", ".[uvloop,aiofiles]", "pytest-benchmark", *group("bench"))
    if not smoke_form(session):
        session.run("pytest", "-p", "benchmark", "bench/test_matrix.py", *session.posargs)


@nox.session
def gate(session: nox.Session) -> None:
    """Hold a short real matrix against a budget, which the trap must break, and this project against its baseline."""
    session.install("--quiet", ".[uvloop,aiofiles]")
    folder = Path(session.create_tmp())
    for name in ("free", "trap"):
        shutil.rmtree(folder / name, ignore_errors=True)
    ways_out = ("-s", "processes", "-s", "uvloop/processes", "--processes", "3", "--budget", "150ms")
    session.run("loopstall", "run", *ways_out, "-o", str(folder / "free"))
    trap = ("blocking_sleep", "-s", "asyncio", "-s", "uvloop", "--quick", "--budget", "50ms")
    session.run("loopstall", "run", *trap, "-o", str(folder / "trap"), success_codes=[1])
    before = session.run("git", "rev-parse", "--verify", "HEAD~1", external=True, silent=True, success_codes=[0, 128])
    known = before and "fatal" not in before
    sides = ("--baseline", "HEAD~1") if known else ("--baseline-path", "src", "--candidate-path", "src")
    cells = ("hashing", "-p", "variant=pure-python", "-s", "asyncio", "-s", "uvloop/to_thread", "--max-minutes", "1")
    session.run("loopstall", "gate", *cells, "--quick", "--inconclusive", "pass", *sides, *session.posargs)


@nox.session
def gate_power(session: nox.Session) -> None:
    """Measure how often our gate and others raise false alarms, and what they find; arguments go to the bench."""
    session.install("--quiet", ".[uvloop,aiofiles,stats]")
    if not smoke_form(session):
        session.run("python", "bench/gate_power.py", *session.posargs)


@nox.session
def gate_live(session: nox.Session) -> None:
    """Count real gates that fail for nothing, and that find one slower cell; arguments go to bench/gate_live.py."""
    session.install("--quiet", ".[stats]")
    if not smoke_form(session):
        session.run("python", "bench/gate_live.py", *session.posargs)


@nox.session
def report(session: nox.Session) -> None:
    """Write the page of a results folder anew: nox -s report -- reports/<folder>."""
    session.install("--quiet", ".[pyperf]")
    if not smoke_form(session):
        session.run("loopstall", "report", *(session.posargs or ["--help"]))


@nox.session
def report_cost(session: nox.Session) -> None:
    """Measure what a page costs to build and to draw; arguments go to bench/report_cost.py."""
    session.install("--quiet", ".", "selenium")
    if not smoke_form(session):
        session.run("python", "bench/report_cost.py", *session.posargs)


@nox.session
def viewers(session: nox.Session) -> None:
    """Open a result in the real speedscope, in Chromium: nox -s viewers -- reports/<folder>."""
    session.install("--quiet", ".", "selenium")
    if not smoke_form(session):
        session.run("python", "bench/viewers.py", *(session.posargs or ["--help"]))


@nox.session
def schema(session: nox.Session) -> None:
    """Write the schemas and the pages of the API and of the findings in docs/ anew."""
    session.install("--quiet", ".")
    if not smoke_form(session):
        session.run("python", "bench/schemas.py", "docs")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site, strictly; `-- --external` checks other links, `-- --pictures` makes pictures."""
    session.install("--quiet", ".[web]", "selenium", *group("docs"))
    if smoke_form(session):
        return
    if "--pictures" in session.posargs:
        session.run("python", "bench/pictures.py")
    session.run("python", "bench/site.py", *(word for word in session.posargs if word != "--pictures"))


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel and the sdist into dist/."""
    session.install("--quiet", *group("build"))
    if not smoke_form(session):
        session.run("python", "-m", "build", *session.posargs)
