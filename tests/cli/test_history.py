"""The history as users have it."""

import csv
from dataclasses import replace
import os
import subprocess

from helpers import ENVIRONMENT, cell, loopstall, measured, plan, run
import pytest

from loopstall.results import store

pytestmark = pytest.mark.once

CELLS = (cell(), cell(name="other[x]", dispatch="threads", params=(("n", 3),)))


def result(folder, day, *, wall_ms, commit="abc", **machine):
    target = store.Store(folder)
    target.begin(plan(*CELLS, created_at=f"2026-01-{day:02}T03:04:05+00:00"))
    for where in CELLS:
        for index in range(3):
            one = run(where, index=index, figures=measured(wall_ms=wall_ms + index * 0.1))
            target.save(replace(one, environment=replace(ENVIRONMENT, commit=commit, **machine)))
    return folder


@pytest.fixture
def project(tmp_path):
    folders = [result(tmp_path / f"r{day}", day, wall_ms=100 if day < 7 else 140) for day in range(1, 13)]
    done = loopstall("history", "add", *folders, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("added") == 12
    return tmp_path


def test_show_draws_each_cell_and_says_where_it_changed(project):
    done = loopstall("history", "show", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "▁▁▁▁▁▁█" in done.stdout
    assert "other[x][n=3] asyncio/threads +40.0% from 10.0 ms" in done.stdout
    assert "work asyncio/inline +40.0% from 10.0 ms" in done.stdout
    one = loopstall("history", "show", "work", "-s", "asyncio/inline", "-m", "throughput", "--last", 5, cwd=project)
    assert "throughput" in one.stdout
    assert "other" not in one.stdout
    assert "No figure changed" in one.stdout


def test_words_are_whole_at_80_columns(project):
    done = loopstall("history", "show", "-m", "time_per_job", "-m", "availability", cwd=project,
                     env={**os.environ, "COLUMNS": "80"})  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["other[x][n=3]", "·", "asyncio/threads"] in lines
    assert ["newest", "results", "last", "change", "over", "the", "commits"] in lines
    assert ["time", "per", "job", "14.0", "ms", "12", "+40.0%", "▁▁▁▁▁▁██████"] in lines


def test_csv_has_a_row_a_value_and_marks_the_change(project):
    done = loopstall("history", "show", "work", "--format", "csv", "-o", "out/h.csv", cwd=project)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((project / "out" / "h.csv").read_text().splitlines()))
    assert len(rows) == 12
    assert [row["change"] for row in rows] == [""] * 6 + ["+40.0%"] + [""] * 5
    assert float(rows[0]["value"]) == pytest.approx(10.01e6)


def test_otava_gets_a_file_a_cell_and_its_configuration(project):
    done = loopstall("history", "show", "--format", "otava", "-o", "otava", cwd=project)
    assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in (project / "otava").iterdir())
    tables = [name for name in files if name.endswith(".csv")]
    assert len(tables) == 2
    rows = list(csv.DictReader((project / "otava" / tables[0]).read_text().splitlines()))
    assert len(rows) == 12
    assert {"time", "commit", "time_per_job", "availability"} <= rows[0].keys()
    configuration = (project / "otava" / "otava.yaml").read_text()
    assert all(f"file: {name}" in configuration for name in tables)
    assert "direction: -1" in configuration


def test_other_machines_are_left_out_and_named(project):
    result(project / "elsewhere", 20, wall_ms=500, cpu="another CPU")
    assert loopstall("history", "add", "elsewhere", cwd=project).returncode == 0
    done = loopstall("history", "show", cwd=project)
    assert "results of another CPU" in done.stderr
    assert "▁▁▁▁▁▁█" not in done.stdout
    assert "▁▁▁▁▁▁█" in loopstall("history", "show", "--machine", "a CPU, 2", cwd=project).stdout


def test_commit_of_a_checkout_has_its_date(tmp_path):
    environment = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A",
                   "GIT_COMMITTER_EMAIL": "a@b", "GIT_COMMITTER_DATE": "2025-03-04T05:06:07+02:00",
                   "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}  # fmt: skip
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"], ["tag", "v1"]):
        subprocess.run(["git", *words], cwd=tmp_path, env=environment, check=True)
    result(tmp_path / "r", 1, wall_ms=1, commit="v1-dirty")
    loopstall("history", "add", "r", cwd=tmp_path)
    done = loopstall("history", "show", "--format", "csv", cwd=tmp_path)
    assert "2025-03-04T03:06:07+00:00,v1-dirty" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show",), "there is no history"),
        (("add", "nowhere"), "nowhere"),
        (("show", "--file", "bad.sqlite"), "not a database"),
        (("show", "-m", "tim_per_job"), "time_per_job"),
        (("add", "--file", "bad.sqlite", "r"), "not a database"),
    ],
)
def test_wrong_use_is_a_sentence(tmp_path, arguments, said):
    result(tmp_path / "r", 1, wall_ms=1)
    (tmp_path / "bad.sqlite").write_text("something else " * 100)
    done = loopstall("history", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_otava_without_a_folder_and_a_selection_of_nothing_are_wrong_use(project):
    assert loopstall("history", "show", "--format", "otava", cwd=project).returncode == 2
    assert loopstall("history", "show", "nothing", cwd=project).returncode == 2
