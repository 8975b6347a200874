"""Opens an export in the real speedscope, in headless Chromium: what it shows is what its own parser read.

Run it with: python bench/viewers.py FOLDER, a results folder. Needs npm (for the speedscope package), Chromium and its
driver. Perfetto's trace processor is fetched from the network when it runs, so that the trace is held against the
format's schema instead (tests/report/test_formats.py).
"""

import argparse
import base64
import json
from pathlib import Path
import shutil
import subprocess
import sys
import tarfile
import tempfile

from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait


def viewer(folder: Path) -> Path:
    """Fetches speedscope and returns its page."""
    subprocess.run(["npm", "pack", "--silent", "speedscope"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (archive,) = folder.glob("speedscope-*.tgz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / "package" / "dist" / "release" / "index.html"


def opened(page: Path, profile: Path) -> str:
    """Opens the profile as speedscope's own command does, and returns the window's title."""
    script = profile.with_suffix(".js")
    content = base64.b64encode(profile.read_bytes()).decode()
    script.write_text(
        f"speedscope.loadFileFromBase64({json.dumps(profile.name)}, {json.dumps(content)})", encoding="utf-8"
    )
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for word in ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-background-networking"):
        options.add_argument(f"--{word}")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        browser.get(f"{page.as_uri()}#localProfilePath={script}")
        WebDriverWait(browser, 20).until(lambda found: found.title.endswith("- speedscope"))
        log = browser.get_log("browser")  # type: ignore[no-untyped-call]  # selenium has no type for it
        errors = [entry["message"] for entry in log if entry["level"] == "SEVERE"]
        if errors:
            sys.exit(f"speedscope says: {errors}")
        browser.save_screenshot(str(profile.with_suffix(".png")))
        return browser.title
    finally:
        browser.quit()


def main() -> None:
    """Exports a result, opens it and prints what speedscope shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path, help="a results folder")
    parser.add_argument("--keep", type=Path, help="where to keep the screenshot")
    options = parser.parse_args()
    absent = [name for name in ("npm", "chromium", "chromedriver") if shutil.which(name) is None]
    if absent:
        sys.exit(f"not installed: {', '.join(absent)}; Debian has them as npm, chromium and chromium-driver")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = folder / "profile.speedscope.json"
        command = [sys.executable, "-m", "loopstall", "report", str(options.result), "--format", "speedscope"]
        subprocess.run([*command, "-o", str(profile)], check=True, stdout=subprocess.DEVNULL)
        data = json.loads(profile.read_text(encoding="utf-8"))
        title = opened(viewer(folder), profile)
        if options.keep:
            shutil.copy(profile.with_suffix(".png"), options.keep)
    print(f"speedscope shows {title!r}; {len(data['profiles'])} profiles, {len(data['shared']['frames'])} frames")


if __name__ == "__main__":
    main()
