"""The extension of IPython: in a kernel of Jupyter that runs a notebook, and in IPython's own shell."""

import re
import subprocess
import sys

from documents import blocks
import pytest

pytestmark = pytest.mark.once

BLOCKS = """%%stalls 50ms
import asyncio, time

async def main():
    await asyncio.sleep(0.01)
    time.sleep(0.2)  # <b>
    await asyncio.sleep(0.01)

await main()
41 + 1
"""


@pytest.fixture(scope="module")
def cells():
    """The outputs of a notebook's cells, run by a real kernel."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    sources = [
        "import sys, loopstall\n'IPython.core.magic' in sys.modules, 'loopstall.integrations.notebook' in sys.modules",
        "%load_ext loopstall",
        BLOCKS,
        "%%stalls 50ms\nawait asyncio.sleep(0.05)",
        "%%stalls 50ms\nraise KeyError('mine')",
        "%%stalls soon\n1",
        "%stalls sometimes",
        "%stalls on 50ms",
        "time.sleep(0.2)",
        "%%stalls 60ms\n1 + 1",
        "%stalls off",
        "time.sleep(0.2)",
        "print(repr(_last := get_ipython().run_line_magic('stalls', '')))",
        "%unload_ext loopstall\n%stalls",
        *(block.text for block in blocks() if block.language == "ipython"),
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = nbclient.NotebookClient(notebook, kernel_name="python3", timeout=120, allow_errors=True)
    client.execute()
    return [cell.outputs for cell in notebook.cells]


def shown(outputs, kind):
    return "".join(output["data"].get(kind, "") for output in outputs if "data" in output)


def failed(outputs):
    """Returns what a cell says that has failed, without colours."""
    said = "".join("\n".join(one["traceback"]) for one in outputs if one["output_type"] == "error")
    said += "".join(one["text"] for one in outputs if one["output_type"] == "stream")
    return re.sub(r"\x1b\[[0-9;]*m", "", said)


def test_import_alone_loads_no_extension(cells):
    assert shown(cells[0], "text/plain") == "(True, False)"
    assert cells[1] == []


def test_cell_with_await_shows_a_table_with_the_line_and_its_source(cells):
    table = shown(cells[2], "text/html")
    assert re.search(r"\d+ stalls? over 50.0 ms", table)
    assert "In[3], line 6, in main" in table
    assert "time.sleep(0.2)  # &lt;b&gt;" in table
    assert "blocking-call" in table
    assert "Await an async version" in table


def test_cell_keeps_its_own_result_and_there_is_a_text_beside_the_table(cells):
    text = shown(cells[2], "text/plain")
    assert "42" in text
    assert "In[3], line 6, in main" in text
    assert "      time.sleep(0.2)  # <b>" in text


def test_cell_that_blocks_nothing_says_so(cells):
    assert shown(cells[3], "text/plain").startswith("No stall over 50.0 ms: the event loop was available for ")


def test_cell_that_raises_shows_its_error_and_is_reported_all_the_same(cells):
    assert "KeyError: 'mine'" in failed(cells[4])
    assert "over 50.0 ms" in shown(cells[4], "text/plain")


def test_wrong_words_are_a_sentence_without_a_traceback(cells):
    assert failed(cells[5]).strip() == (
        "UsageError: the threshold 'soon' is not a duration; write for instance 50ms, 0.5s or 2m"
    )
    assert failed(cells[6]).startswith("UsageError: %stalls sometimes is not understood: write %%stalls or ")


def test_switched_on_every_cell_with_a_stall_is_reported_until_it_is_off(cells):
    assert "In[9], line 1" in shown(cells[8], "text/html")
    assert "over 60.0 ms" in shown(cells[9], "text/html")
    assert cells[10] == []
    assert cells[11] == []


def test_last_result_can_be_had(cells):
    assert "over 50.0 ms" in cells[12][0]["text"]


def test_unloaded_it_is_gone(cells):
    assert "UsageError: Line magic function `%stalls` not found" in failed(cells[13])


def test_cells_of_the_document_do_what_it_says(cells):
    loading, watching = cells[14:]
    assert loading == []
    assert "line 8, in main" in shown(watching, "text/html")


SHELL = [
    "%load_ext loopstall",
    "%%stalls 50ms\nimport asyncio, time\nasync def main():\n    time.sleep(0.2)\n\nawait main()\n",
    "%%stalls 50ms\n1",
    "%%stalls 50ms\nasyncio.run(main())",
]


def test_shell_of_ipython_shows_text(tmp_path):
    pytest.importorskip("IPython")
    (tmp_path / "typed.py").write_text(
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance(colors='NoColor')\n"
        f"for cell in {SHELL!r}:\n"
        "    shell.run_cell(cell, store_history=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "typed.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "No event loop ran in this cell" in done.stdout
    assert done.stdout.count("line 4, in main") == 2
    assert done.stdout.count("      time.sleep(0.2)") == 2


def test_package_imports_nothing_of_ipython():
    code = "import sys, loopstall; loopstall.watch; sys.exit('IPython' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
