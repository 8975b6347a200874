"""What the documents promise is what is there."""

from pathlib import Path
import re

from doc_blocks import module_of
from helpers import loopstall

ROOT = Path(__file__).resolve().parent.parent


def commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Two commands")[2].partition("\n## ")[0]
    return re.findall(r"^\$ (.+)$", section, re.MULTILINE)


def test_readme_has_two_commands_and_ci_calls_the_second():
    first, second = commands()
    assert first.endswith("nox -s bench")
    assert second.endswith("nox -s tests")
    assert second in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_workload_of_the_readme_works_and_has_under_fifteen_lines(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(from loopstall import workload.+?)```", readme, re.DOTALL)[1]
    assert len(code.splitlines()) < 15
    (tmp_path / "myservice.py").write_text("def make_thumbnail(seed, width):\n    return bytes(width)\n")
    (tmp_path / "thumbnails.py").write_text(code)
    words = ("-s", "inline", "-s", "processes", "--jobs", 2, "--processes", 1, "-o", "out")
    done = loopstall("run", "thumbnails.py", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "width=512" in done.stdout


def test_links_between_documents_lead_somewhere():
    for document in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_blocks_keep_their_lines_and_illustrations_are_left_out():
    text = "A\n\n```python\nx = 1\n```\n\n<!-- illustration -->\n\n```python\ny = ...\n```\n\n```sh\nz\n```\n```python\nw = x\n```\n"
    lines = module_of(text).splitlines()
    assert {number: line for number, line in enumerate(lines, 1) if line} == {4: "x = 1", 17: "w = x"}
