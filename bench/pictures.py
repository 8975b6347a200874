"""Makes the pictures of README and of the documentation site, from a real run of an example.

    python bench/pictures.py [-o FOLDER]

watch.svg is what `loopstall watch examples/fastapi_shop.py` prints, exported by rich; page.png is the page that -o
writes, photographed in headless Chromium. Without Chromium and its driver there is no page.png, and it says so.
"""

import argparse
import io
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tempfile

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = "examples/fastapi_shop.py"
WIDTH, HEIGHT = 1200, 800  # of the photograph
COLUMNS = 100


def watched(page: Path) -> str:
    """Watches the example, has its page written, and returns what a terminal shows."""
    words = ("-m", "loopstall", "watch", "-o", page, EXAMPLE)
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}, timeout=120, check=True,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if str(page) not in line]  # a folder of this machine
    return "\n".join(lines)


def terminal(shown: str, target: Path) -> None:
    """Writes a picture of a terminal that asks no other site for a font."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ ", style="bold green") + Text(f"loopstall watch {EXAMPLE}", style="bold"))
    console.print(Text.from_ansi(shown))
    picture = console.export_svg(title="loopstall watch", unique_id="loopstall")
    target.write_text(re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL), encoding="utf-8")


def photograph(page: Path, target: Path) -> bool:
    """Photographs a page, and says whether there was a browser to do it."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        return False
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in ("--headless=new", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(word)
    chromium = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        chromium.get(page.as_uri())
        target.write_bytes(chromium.get_screenshot_as_png())
    finally:
        chromium.quit()
    return True


def main() -> int:
    """Makes both and prints their sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "images")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        page = Path(name) / "stalls.html"
        terminal(watched(page), folder / "watch.svg")
        drawn = photograph(page, folder / "page.png")
    print(f"watch.svg: {(folder / 'watch.svg').stat().st_size:,} bytes")
    print(f"page.png: {(folder / 'page.png').stat().st_size:,} bytes" if drawn else "page.png: no Chromium here")
    return 0


if __name__ == "__main__":
    sys.exit(main())
