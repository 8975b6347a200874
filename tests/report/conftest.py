"""A real browser for the pages."""

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Headless Chromium, or a skip with the reason; a failure where the environment says that it must be there."""
    binary = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if not binary or not driver:
        reason = "Chromium and its driver are not installed (Debian: chromium, chromium-driver)"
        if os.environ.get("LOOPSTALL_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    quiet = (
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
    )
    profile = tmp_path_factory.mktemp("chromium")
    for word in ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", *quiet, f"user-data-dir={profile}"):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield running
    running.quit()
