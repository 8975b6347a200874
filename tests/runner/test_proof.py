from dataclasses import replace
import hashlib

from helpers import pair
import pytest

from loopstall.errors import InputError
from loopstall.records import Code, Module, RunError, Verdict
from loopstall.runner.proof import Proof, differences
from loopstall.runner.side import Side, facing


@pytest.fixture
def trees(tmp_path):
    """Two trees with a module and, beside it, a test of the same name."""
    for side in ("base", "head"):
        for place in ("src/shop/prices.py", "tests/shop/prices.py"):
            path = tmp_path / side / place
            path.parent.mkdir(parents=True)
            path.write_text(f"of {place}")
    return tmp_path / "base", tmp_path / "head"


def proof(trees, *changed, folders=((), ()), same=""):
    base, head = (Side(name=tree.name, root=str(tree), folders=own) for tree, own in zip(trees, folders, strict=True))
    return Proof(facing(base, head, changed=changed, same=same))


def ran(*files, name="shop.prices", outside=()):
    """A pair whose processes imported a module from these files, or nothing of the project."""
    codes = [
        Code(modules=(Module(name=name, file=str(file), digest=hashlib.sha1(file.read_bytes()).hexdigest()),))  # noqa: S324
        for file in files
    ] or [Code(), Code()]
    base, head = (replace(code, outside=outside) for code in codes)
    one = pair()
    return replace(one, base=replace(one.base, code=base), head=replace(one.head, code=head))


def said(found, one, **extra):
    verdict = Verdict(
        row="work", strategy="asyncio/inline", workload=one.head.cell.workload, verdict="ok", rule="fine", pairs=8
    )
    (item,) = found.said([replace(verdict, **extra)], new={one.head.cell.workload})
    return item


def test_sides_with_different_modules_are_proven_to_differ(trees):
    base, head = (tree / "src/shop/prices.py" for tree in trees)
    head.write_text("new")
    found = proof(trees, "src/shop/prices.py")
    one = ran(base, head)
    found.check(one)
    assert (said(found, one).code, said(found, one).rule) == ("different", "fine")
    assert found.notes([said(found, one)]) == ()


def test_change_of_another_file_of_the_same_name_is_a_change_that_nothing_imports(trees):
    found = proof(trees, "tests/shop/prices.py")
    one = ran(*(tree / "src/shop/prices.py" for tree in trees))
    found.check(one)
    assert said(found, one).rule == "fine; both sides import the same code"
    assert "no workload imports what differs, tests/shop/prices.py" in found.notes([said(found, one)])[0]


def test_build_that_holds_the_same_though_its_source_differs_is_refused(trees, tmp_path):
    (trees[1] / "src/shop/prices.py").write_text("new")
    built = [tmp_path / "builds" / side for side in ("base", "head")]
    for folder in built:
        (folder / "shop").mkdir(parents=True)
        (folder / "shop" / "prices.py").write_text("of src/shop/prices.py")
    found = proof(trees, "src/shop/prices.py", folders=[(str(folder),) for folder in built])
    with pytest.raises(
        InputError, match=r"src/shop/prices.py differs between the sides, but both imported the same shop"
    ):
        found.check(ran(*(folder / "shop" / "prices.py" for folder in built)))


def test_file_of_the_other_side_is_refused(trees):
    head = trees[1] / "src/shop/prices.py"
    with pytest.raises(InputError, match=r"base was not measured: its process imported shop\.prices from .*head"):
        proof(trees, "src/shop/prices.py").check(ran(head, head))


@pytest.mark.parametrize(
    ("changed", "refused"), [("lib/shop/prices.py", True), ("lib/shop/other.py", False), ("shop.py", False)]
)
def test_installed_copy_is_refused_where_it_holds_what_differs(trees, tmp_path, changed, refused):
    site = tmp_path / "site" / "shop"
    site.mkdir(parents=True)
    for name in ("__init__.py", "prices.py"):
        (site / name).write_text("")
    one = ran(outside=(("shop", str(site / "__init__.py")),))
    found = proof(trees, changed)
    if refused:
        with pytest.raises(InputError, match="uninstall that copy"):
            found.check(one)
    else:
        found.check(one)
        assert said(found, one).code == "none"


def test_commit_beside_untracked_files_that_nothing_imports_was_compared_with_itself(trees):
    found = proof(trees, "notes.txt", same="HEAD itself")
    one = ran(*(tree / "src/shop/prices.py" for tree in trees))
    found.check(one)
    assert found.compared_itself([said(found, one)]) == "HEAD itself"
    (trees[1] / "src/shop/prices.py").write_text("new")
    found.check(ran(*(tree / "src/shop/prices.py" for tree in trees)))
    assert found.compared_itself([said(found, one)]) == ""


def test_side_that_says_nothing_is_named_and_proves_nothing(trees):
    found = proof(trees, "src/shop/prices.py")
    one = pair()
    found.check(one)
    assert said(found, one).code == ""
    assert "which code base ran is not proven" in found.notes([])[0]


def test_new_workload_that_the_baselines_code_fails_is_added(trees):
    found = proof(trees, "src/shop/prices.py")
    one = pair()
    one = replace(one, base=replace(one.base, measured=None, error=RunError(kind="raised", message="no attribute")))
    found.check(one)
    item = said(found, one, verdict="failed", rule="the baseline: no attribute")
    assert (item.verdict, item.rule) == ("added", "the workload is new, and fails on the baseline: no attribute")


def test_new_workload_that_fails_on_both_sides_has_failed(trees):
    found = proof(trees, "src/shop/prices.py")
    one, error = pair(), RunError(kind="raised", message="no attribute")
    one = replace(one, base=replace(one.base, error=error), head=replace(one.head, error=error))
    found.check(one)
    assert said(found, one, verdict="failed").verdict == "failed"


def test_folders_differ_in_files_with_other_content_and_in_those_of_one_alone(trees):
    base, head = trees
    assert differences(base, head) == ()
    (head / "src/shop/prices.py").write_text("new")
    (base / "data.json").write_text("{}")
    for hidden in (".git/index", "__pycache__/x.pyc", "reports/1/plan.json", "env/lib/x.py"):
        (head / hidden).parent.mkdir(parents=True, exist_ok=True)
        (head / hidden).write_text("")
    (head / "env" / "pyvenv.cfg").write_text("")
    assert differences(base, head) == ("data.json", "src/shop/prices.py")
