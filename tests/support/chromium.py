"""Chromium, driven by Selenium."""

import os
import shutil

import pytest
from selenium import webdriver


def find_program(*names):
    """Return the path of a program. Without it skip the test, but fail on a build server."""
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        reason = f"{names[0]} is not installed"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return path


def start_chromium():
    """Start the browser without a window, and return its driver."""
    options = webdriver.ChromeOptions()
    options.binary_location = find_program("chromium", "chromium-browser", "google-chrome")
    # A container has no sandbox and little shared memory.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(find_program("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_window_size(1000, 800)
    return driver


def forget_storage(driver):
    """Remove what the open page has stored: a later server may get its port, and so its storage."""
    driver.execute_script(
        """
        try {
          for (const storage of [sessionStorage, localStorage]) storage.clear();
          Storage.prototype.setItem = () => {};  // a page may store its state when it is left
        } catch { /* storage is denied, or no page is open */ }
        """
    )
