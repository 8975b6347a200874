from pathlib import Path
import subprocess
import sys

import pytest

SCRIPT = Path(__file__).with_name("phrases.py")

pytestmark = pytest.mark.once


def looked_through(*files):
    return subprocess.run([sys.executable, SCRIPT, *files], capture_output=True, text=True, check=False, timeout=60)


def test_source_and_documents_do_without_the_phrases():
    done = looked_through()
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A gate that cries wolf.", 1),
        ("One\nthat Cry\nWolf\n", 2),
        ("# is lived\n# with\n", 1),
        ('help="The least."', 1),
    ],
)
def test_phrase_is_found_with_its_line_and_what_to_write_instead(tmp_path, text, line):
    path = tmp_path / "some.md"
    path.write_text(text)
    done = looked_through(path)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{path}:{line}: ")
    assert "; better: " in done.stdout


def test_words_that_only_hold_a_phrase_are_let_through(tmp_path):
    path = tmp_path / "some.md"
    path.write_text("Remind: at the least, decry wolfram.\n")
    assert looked_through(path).returncode == 0
