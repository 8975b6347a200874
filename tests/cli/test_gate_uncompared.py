"""What a gate says where it cannot compare, or compared the same: in real repositories, with its exit code."""

import signal
import subprocess
import sys
import time

import pytest
from repositories import NEW, OLD, ONE_PAIR, Repository, workload

pytestmark = pytest.mark.once  # what is asked is whose code ran, which depends on no Python and no machine


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "ein Ordner für Tests" / "repo")


def test_workload_that_takes_the_candidates_code_by_its_path_is_refused(repository):
    by_path = (
        "import importlib.util, pathlib, sys\n"
        "spec = importlib.util.spec_from_file_location('shop', pathlib.Path(__file__).parents[1] / 'shop.py')\n"
        "shop = sys.modules['shop'] = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(shop)"
    )
    repository.commit({"shop.py": OLD, "workloads/w.py": workload(by_path)})
    repository.commit({"shop.py": NEW}, branch="change")
    done = repository.gate("calc", *ONE_PAIR)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "was not measured: its process imported shop from" in done.stderr


def test_copy_of_the_code_that_is_installed_beside_both_sides_is_refused(repository):
    site = repository.root.parent / "site"
    (site / "shop").mkdir(parents=True)
    (site / "shop" / "__init__.py").write_text(OLD)
    repository.commit({"python/lib/shop/__init__.py": OLD, "workloads/w.py": workload()})
    repository.commit({"python/lib/shop/__init__.py": NEW}, branch="change")
    done = repository.gate("calc", *ONE_PAIR, env={"PYTHONPATH": str(site)})
    assert done.returncode == 2, done.stdout + done.stderr
    assert "nothing was compared: python/lib/shop/__init__.py differs between the sides" in done.stderr


def test_change_that_no_workload_imports_passes_and_is_said_to_be_that(repository):
    repository.commit({"shop.py": OLD, "workloads/w.py": workload(), "README": "1"})
    repository.commit({"README": "2"}, branch="change")
    done = repository.gate("calc", *ONE_PAIR)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no workload imports what differs, README" in " ".join(done.stdout.split())
    assert repository.verdicts()["calc"]["code"] == "same"
    assert "both sides import the same code" in repository.verdicts()["calc"]["rule"]


def test_commit_is_not_compared_with_itself(repository):
    repository.commit({"shop.py": OLD, "workloads/w.py": workload()})
    repository.commit({"shop.py": NEW})
    pushed = repository.gate("calc", *ONE_PAIR)
    assert (pushed.returncode, pushed.stdout) == (5, "")
    assert "the baseline is HEAD itself" in pushed.stderr
    assert "--baseline HEAD~1" in pushed.stderr
    (repository.root / "notes.txt").write_text("of nobody's")
    assert repository.gate("calc", *ONE_PAIR).returncode == 5
    assert "both sides import the same code" in repository.verdicts()["calc"]["rule"]
    done = repository.gate("calc", *ONE_PAIR, "--baseline", "HEAD~1", "--results", "../second")
    assert done.returncode == 0, done.stdout + done.stderr


def test_shallow_clone_is_told_with_what_to_write(repository):
    repository.commit({"shop.py": OLD, "workloads/w.py": workload()})
    repository.commit({"shop.py": NEW})
    clone = Repository(repository.root.parent / "clone")
    clone.git("fetch", "-q", "--depth", "1", f"file://{repository.root}", "main")
    clone.git("checkout", "-q", "--detach", "FETCH_HEAD")  # as CI has a pull request
    for words in ((), ("--baseline", "HEAD~1")):
        done = clone.gate("calc", *ONE_PAIR, *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "this clone is shallow: write `fetch-depth: 0`" in done.stderr
    clone.git("checkout", "-q", "-b", "main")
    done = clone.gate("calc", *ONE_PAIR)
    assert (done.returncode, done.stdout) == (5, "")
    assert "this clone is shallow: write `fetch-depth: 0`" in done.stderr


def test_old_workload_is_compared_beside_a_new_one_that_the_baseline_cannot_import(repository):
    repository.commit({"shop.py": OLD, "workloads/w.py": workload()})
    both = workload("from shop import fresh\nimport shop") + workload(job="fresh()", name="born")
    late = workload(job="shop.fresh()", name="later")
    change = {"shop.py": f"{NEW}\ndef fresh(): return 1\n", "workloads/w.py": both, "workloads/late.py": late}
    repository.commit(change, branch="change")
    done = repository.gate("calc", "born", "later", *ONE_PAIR)
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = repository.verdicts()
    assert verdicts["calc"]["pairs"] >= 1
    assert verdicts["calc"]["code"] == "different"
    assert verdicts["born"]["verdict"] == verdicts["later"]["verdict"] == "added"
    assert "calc: the baseline runs its own w.py" in " ".join(done.stdout.split())
    repository.commit({"workloads/w.py": workload("from shop import fresh", "fresh()", name="born")})
    done = repository.gate("born", *ONE_PAIR, "--results", "../second")
    assert done.returncode == 5, done.stdout + done.stderr  # nothing was compared
    assert "1 added" in done.stdout


def test_broken_baseline_is_a_verdict_of_its_own_beside_what_can_be_compared(repository):
    broken = "import shop\nraise ValueError('half done')\n"
    repository.commit({
        "shop.py": OLD, "broken.py": broken, "workloads/w.py": workload(),
        "workloads/b.py": workload("import broken", "1", name="other"),
    })  # fmt: skip
    repository.commit({"shop.py": NEW, "broken.py": "import shop\n"}, branch="change")
    arguments = ("calc", "other", *ONE_PAIR)
    done = repository.gate(
        *arguments, "--inconclusive", "fail", "--format", "terminal", "-o", "-", "--format", "junit", "-o", "../j.xml"
    )
    assert done.returncode == 5, done.stdout + done.stderr
    verdicts = repository.verdicts()
    assert verdicts["other"]["verdict"] == "baseline-broken"
    assert "broken.py" in verdicts["other"]["rule"]
    assert "ValueError: half done" in verdicts["other"]["rule"]
    assert verdicts["calc"]["code"] == "different"
    assert "<error" in (repository.root.parent / "j.xml").read_text()
    assert repository.gate(*arguments, "--results", "../second").returncode == 0  # they may pass by request
    done = repository.gate("other", *ONE_PAIR, "--results", "../third")
    assert done.returncode == 5  # but not where nothing else was compared
    assert "half done" in done.stdout


@pytest.mark.parametrize("how", ["import os; os._exit(7)", "import time; time.sleep(60)"])
def test_baseline_that_ends_or_hangs_when_it_is_imported_is_broken(repository, how):
    repository.commit({"shop.py": how, "workloads/w.py": workload()})
    repository.commit({"shop.py": NEW}, branch="change")
    done = repository.gate("calc", *ONE_PAIR, "--time-limit", "2s")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "1 baseline-broken" in done.stdout
    assert ("its process ended" if "exit" in how else "it hangs") in " ".join(done.stdout.split())


def test_workload_that_the_candidate_has_no_more_is_told(repository):
    repository.commit({
        "shop.py": OLD, "workloads/w.py": workload() + workload(name="part"), "workloads/gone.py": workload(name="gone"),
        "workloads/unreadable.py": "import nothing_of_the_kind",
    })  # fmt: skip
    gone = {"workloads/gone.py": None, "workloads/unreadable.py": None}
    repository.commit({"shop.py": NEW, "workloads/w.py": workload(), **gone}, branch="change")
    done = repository.gate("--max-minutes", "1e-9", "--results", "../out")
    assert done.returncode == 5, done.stdout + done.stderr
    removed = {name for name, item in repository.verdicts().items() if item["verdict"] == "removed"}
    assert removed == {"gone", "part", "unreadable"}
    assert "the candidate has no workload 'gone'" in " ".join(done.stdout.split())


def test_workload_that_has_moved_to_another_file_is_compared_with_itself_as_it_was(repository):
    repository.commit({"shop.py": OLD, "workloads/old.py": workload() + workload(name="other")})
    moved = workload("from shop import fresh\nimport shop")
    repository.commit({
        "shop.py": f"{NEW}\ndef fresh(): return 1\n", "workloads/old.py": workload(name="other"),
        "workloads/moved.py": moved,
    }, branch="change")  # fmt: skip
    done = repository.gate("calc", *ONE_PAIR)
    assert done.returncode == 0, done.stdout + done.stderr
    assert repository.verdicts()["calc"]["code"] == "different"
    assert "calc: the baseline runs its own old.py" in " ".join(done.stdout.split())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_repository_is_as_before_however_a_gate_ends(repository, how):
    repository.commit({"shop.py": OLD, "workloads/w.py": workload()})
    repository.commit({"shop.py": NEW}, branch="change")
    before = repository.state()
    command = [sys.executable, "-m", "loopstall", "gate", "calc", "-s", "asyncio", "--results", "../out"]
    process = subprocess.Popen(
        command, cwd=repository.root, env=repository.cache, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    runs = repository.root.parent / "out" / "candidate" / "runs"
    while not (runs.is_dir() and any(runs.iterdir())):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(how)
    process.wait(60)
    assert repository.state() == before
