"""Every command that the documents show: run in a project that has what it names, or read as the command line does."""

from dataclasses import dataclass, field
from functools import cache
import re
import shlex
import tomllib

import click
from documents import DOCUMENTS, ROOT, commands
import pytest
from workshop import parsed, shell

pytestmark = pytest.mark.once


@dataclass(frozen=True, kw_only=True)
class Run:
    """A command that is run, word for word as it is shown.

    Args:
        more: words after it, which make it short.
        before: a command that makes what it needs.
        codes: how it may end.
        shows: what must be on stdout.
        needs: modules without which it cannot be run.
    """

    more: str = ""
    before: str = ""
    codes: frozenset[int] = frozenset({0})
    shows: str = ""
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Read:
    """A command that would take minutes or another machine: its words are read, and it is not run."""

    why: str = field(default="it takes minutes")


_FEW = "mine.py -s inline --jobs 2 --processes 1"
_PAIRS = "mine.py -s inline --quick --max-minutes 0.02 --inconclusive pass"
_ADVICE = Run(more="--max-seconds 3s", codes=frozenset({5}), shows="No recommendation for")
"""Its ways off the loop are not measured, which takes a quarter of a minute: cli/test_advise.py does."""
_REPORTED = "reports/20260102-030405-run"

COMMANDS = {
    "python -m pip install --quiet nox && python -m nox -s bench": Read(),
    "python -m pip install --quiet nox && python -m nox -s tests": Read(),
    "loopstall list": Run(shows="hashing"),
    "loopstall run --quick": Run(more="mine.py -s inline --jobs 2", shows="4 runs in"),
    "loopstall run hashing -s to_thread -s processes -p variant=pbkdf2 --rate 50": Run(
        more="--processes 1 --seconds 200ms", shows="2 runs in"
    ),
    "loopstall run mine.py --budget 50ms": Run(more=_FEW.partition(" ")[2], codes=frozenset({0, 1}), shows="1 run in"),
    "loopstall run --all": Run(more=_FEW, shows="1 run in"),
    "loopstall run --resume": Run(shows="1 run in"),
    "loopstall run -o sample": Run(more=_FEW, shows="Page: sample/index.html"),
    "cp sample/index.html reports/sample/": Run(before=f"loopstall run {_FEW} -o sample && mkdir reports/sample"),
    "loopstall compare reports/BASE reports/HEAD": Run(shows="ok"),
    "loopstall report reports/BASE --format markdown": Run(shows="| workload |"),
    "loopstall history add reports/BASE": Run(shows="replaced reports/BASE"),
    "loopstall advise shop.prices:total --args '[1000]' --rate 40": _ADVICE,
    "loopstall advise shop.prices:total --args '[1000, \"EUR\"]' --rate 40": _ADVICE,
    "loopstall advise shop/prices.py:total --args-from tests.samples:big_order": _ADVICE,
    "loopstall advise hashing -p variant=pbkdf2": Run(
        more="--max-seconds 15s", codes=frozenset({0, 5}), shows="hashing"
    ),
    "loopstall advise --from stalls.json": Run(codes=frozenset({5}), shows="total"),
    "loopstall advise total --from stalls.json --args '[1000]' -o advice.json": _ADVICE,
    "loopstall serve-bench --list": Run(shows="uvicorn-1/inline"),
    "loopstall serve-bench": Run(more="socket --quick --seconds 300ms", shows="1 run in"),
    "loopstall serve-bench 'uvicorn-*' gunicorn-4": Run(more="--list", shows="uvicorn-2/processes"),
    "loopstall serve-bench 'uvicorn-*' gunicorn-4 --rate 200 --heavy 10%": Run(
        more="--list", shows="gunicorn-4/inline"
    ),
    "loopstall serve-bench uvicorn-1 --work mine.py": Run(more="--list", shows="uvicorn-1/to_thread"),
    "loopstall run hashing -s celery -s dask -s processes": Run(
        more="-p variant=pbkdf2 --processes 1 --jobs 2", shows="processes"
    ),
    "loopstall watch app.py --port 8000": Run(),
    "loopstall watch examples/fastapi_shop.py": Read(why="a test of its output runs it"),
    "python -m pip install '.[web]'": Read(why="the tests' environment has it"),
    "loopstall watch -o stalls.html -m uvicorn app:app --workers 2": Read(why="a test of its output starts the server"),
    "loopstall gate": Run(more=_PAIRS, shows="measured in turns"),
    "loopstall gate --baseline v1.4": Run(more=_PAIRS, shows="measured in turns"),
    "loopstall gate --baseline-path ../old --candidate-path .": Run(more=_PAIRS, shows="measured in turns"),
    "loopstall gate --baseline-python old/bin/python --candidate-python new/bin/python": Run(
        more=_PAIRS, shows="measured in turns"
    ),
    "loopstall gate 'uvicorn-*' mine.py": Read(),
    'loopstall accept --reason "moves to a worker in 2.1"': Run(shows="commit that file"),
    "loopstall gate --against reports/20261101-090000-run": Run(
        more="mine.py -s inline --inconclusive pass", shows="this machine now against"
    ),
    "loopstall gate --against old.json --candidate-results new.json": Run(shows="against"),
    "loopstall history add reports/20261101-090000-run": Run(shows="added"),
    "loopstall history show": Run(shows="hashing"),
    "loopstall history show hashing -m cpu_per_job -m availability --format csv -o history.csv": Run(
        shows="history.csv"
    ),
    "loopstall history show --format otava -o otava": Run(shows="otava.yaml"),
    "loopstall gate --format terminal -o - --format junit -o gate.xml --format github": Run(
        more=_PAIRS, shows="measured in turns"
    ),
    "loopstall dump 4711": Read(why="tests/cli/test_dump.py looks at programs of its own"),
    "loopstall dump 4711 --json": Read(why="tests/cli/test_dump.py looks at programs of its own"),
    "loopstall watch --live app.py": Read(why="it needs a terminal; tests/cli/test_watch_live.py has one"),
    "loopstall watch --serve 8765 -m uvicorn app:app --workers 2": Read(why="tests/cli/test_watch_live.py serves"),
    "loopstall watch --live --pid 4711": Read(why="it needs a terminal; tests/cli/test_watch_live.py has one"),
    "loopstall watch --pid 4711": Read(why="it runs until it is stopped; tests/cli/test_watch_pid.py starts one"),
    "loopstall watch --pid 4711 --inject": Read(why="tests/cli/test_watch_inject.py watches programs of its own"),
    "loopstall watch --pid 4711 --duration 30s -o stalls.html --fail-over 100ms": Read(
        why="tests/cli/test_watch_pid.py watches programs of its own"
    ),
    "python -m loopstall.integrations.grafana > dashboard.json": Run(),
    "pip install loopstall": Read(why="the name of the project is checked"),
    "pytest --stall-budget 50ms": Read(why="a test of its output runs it"),
    "pytest --stall-budget 50ms --stall-baseline write": Read(why="a test of its output runs it"),
    f"loopstall report {_REPORTED}": Run(shows=f"{_REPORTED}/index.html"),
    "loopstall report reports/20260102-030405-gate": Run(shows="reports/20260102-030405-gate/index.html"),
    f"loopstall report {_REPORTED} --history loopstall-history.sqlite": Run(shows=f"{_REPORTED}/index.html"),
    f"loopstall report {_REPORTED} --format markdown": Run(shows="| workload |"),
    "loopstall report stalls.json": Run(shows="stalls.html"),
    "loopstall report --index reports": Run(shows="reports/index.html"),
    "loopstall report reports/BASE --format pyperf -o base.json": Run(shows="base.json"),
    "python -m pyperf stats base.json": Run(shows="Mean", needs=("pyperf",)),
    "python -m pyperf compare_to base.json head.json": Run(needs=("pyperf",)),
    "dask scheduler": Read(why="it runs until it is stopped; tests/runner/test_cluster.py starts one"),
    "dask worker tcp://HOST:8786 --nthreads 1": Read(why="it needs another machine"),
    "loopstall run --rigorous --on dask --scheduler tcp://HOST:8786": Read(why="it needs other machines"),
}
"""Each command of the documents, and how it is tested."""

SHOWN = list(dict.fromkeys(item.text for item in commands() if item.block.document != "docs/tutorial.md"))
"""Those of the tutorial are steps, which test_tutorial.py takes one after the other."""


def test_every_command_of_the_documents_is_tested_and_no_other():
    assert [text for text in SHOWN if text in COMMANDS] == SHOWN
    assert [text for text in COMMANDS if text not in SHOWN] == []


@pytest.mark.parametrize("text", [text for text, how in COMMANDS.items() if isinstance(how, Run)])
def test_command_does_what_it_says(workshop, text):
    how = COMMANDS[text]
    for name in how.needs:
        pytest.importorskip(name)
    done = shell(" && ".join(filter(None, (how.before, f"{text} {how.more}"))), workshop)
    assert done.returncode in how.codes, done.stdout + done.stderr
    assert how.shows in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", [text for text, how in COMMANDS.items() if isinstance(how, Read)])
def test_command_can_be_read(workshop, monkeypatch, text):
    monkeypatch.chdir(workshop)
    read(text)


def read(text):
    """Reads a command's words as the program does that it names."""
    words = shlex.split(text)
    if words[:4] == ["python", "-m", "pip", "install"] and "nox" not in words:
        assert {*re.findall(r"\w+", words[-1].partition("[")[2])} <= extras()
    elif "nox" in words:
        assert "-l" in words or set(re.findall(r"nox -s ([a-z_ ]+)", text)[0].split()) <= sessions()
    elif words[0] == "loopstall":
        parsed(words[1:])
    elif words[0] == "pip":
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        assert f'name = "{words[-1]}"' in project
    elif words[0] == "pytest":
        assert [word for word in words if word.startswith("--") and word not in helped("pytest")] == []
    else:
        pytest.importorskip("distributed")
        assert [word for word in words if word.startswith("--") and word not in helped(shlex.join(words))] == []


@cache
def helped(program):
    """Returns what a program says of its options."""
    return shell(f"{program} --help", ROOT / "tests" / "docs").stdout


def extras():
    """Returns the names of the project's extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return set(project["optional-dependencies"])


def sessions():
    """Returns the names of nox's sessions."""
    source = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    return set(
        re.findall(r"^@nox\.session.*\ndef (\w+)\(session: nox\.Session\) -> None:\n    \"\"\"\w", source, re.MULTILINE)
    )


def test_contributing_names_every_session_of_nox_and_no_other():
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {name for words in re.findall(r"^\| `nox -s ([a-z_ ]+)`", table, re.MULTILINE) for name in words.split()}
    assert named == sessions()
    source = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    assert named == set(re.findall(r"^@nox\.session.*\ndef (\w+)", source, re.MULTILINE))


def spans():
    """Yields the pieces of code in the documents' sentences, with where they stand."""
    for path in DOCUMENTS:
        text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for span in re.findall(r"`([^`]+)`", text):
            yield path.name, " ".join(span.split())


def test_commands_within_sentences_can_be_read(workshop, monkeypatch):
    monkeypatch.chdir(workshop)
    (workshop / "advice.json").write_text("{}")
    count = 0
    for name, span in spans():
        text = (
            span.replace("nox -s NAME", "nox -s bench")
            .replace("<folder>", "20260102-030405-gate")
            .replace("FOLDER", "reports")
            .replace("PID", "4711")
        )
        words = shlex.split(text) if text.startswith(("loopstall ", "python ", "nox ")) else []
        if words[:1] == ["loopstall"]:
            try:
                parsed(words[1:])
            except click.ClickException as error:
                bare = isinstance(error, click.MissingParameter) and len(words) == 2  # a command's mere name
                if not bare:
                    pytest.fail(f"{name}: {span}: {error.format_message()}")
            count += 1
        elif words[:1] == ["python"] and words[1].startswith("bench/"):
            assert (ROOT / words[1]).is_file(), f"{name}: {span}"
            count += 1
        elif words[:1] == ["nox"]:
            read(text)
            count += 1
    assert count > 20


FOREIGN = {
    "--benchmark-autosave",
    "--cap-add",
    "--external",
    "--group",
    "--hook-type",
    "--pictures",
    "--resources",
    "--serve",
    "--simulated",
    "--smoke",
    "--stacks",
    "--target",
    "--view",
}
"""Options of other programs and of nox's sessions that the documents name."""


def parameters(command):
    """Yields the options and arguments of a command and of those within it."""
    yield from command.params
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from parameters(command.get_command(context, name))


def test_every_option_says_what_it_does():
    from loopstall.cli.entry import _loopstall

    assert [item.opts for item in parameters(_loopstall) if isinstance(item, click.Option) and not item.help] == []


def test_every_option_that_is_named_exists():
    from loopstall.cli.entry import _loopstall

    plugin = (ROOT / "src" / "loopstall" / "pytest_plugin" / "__init__.py").read_text(encoding="utf-8")
    known = (
        {text for item in parameters(_loopstall) for text in item.opts}
        | set(re.findall(r'addoption\("(--[a-z-]+)"', plugin))
        | FOREIGN
    )
    named = {(name, word) for name, span in spans() for word in re.findall(r"(?<![\w-])--[a-z][a-z-]+", span)}
    assert sorted((name, word) for name, word in named if word not in known) == []
    assert sorted(FOREIGN - {word for _, word in named}) == []
