# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Chromium for tests, without a window: a person who reads the page, or hears it read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from ansible_collections.plumb.gitops.tests.support.agent.process import until

_AXE = Path("plumb") / "axe-core-4.14.1" / "axe.min.js"  # scripts/programs puts it there
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--lang=en-GB",
)  # fmt: skip


class Browser:
    """One browser with a profile of its own. Words are looked for in what is shown, as a person would."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page and return its value."""
        return self.driver.execute_script(script, *arguments)

    def first(self, selector: str, words: str = "") -> WebElement:
        """Return the first element that is shown with these words, as soon as there is one."""
        element: WebElement = until(
            lambda: next(iter(self.all(selector, words)), None), f"{selector} {words}"
        )
        return element

    def all(self, selector: str, words: str = "") -> list[WebElement]:
        """Return the elements that are shown now with these words; what goes away meanwhile is none."""
        elements: list[WebElement] = self.run(
            "return [...document.querySelectorAll(arguments[0])].filter("
            "  (one) => one.getClientRects().length && one.innerText.includes(arguments[1]))",
            selector,
            words,
        )
        return elements

    def text(self, selector: str = "main") -> str:
        """Return what is shown there."""
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> WebElement:
        """Return the element that has the focus."""
        return self.driver.switch_to.active_element

    def prefers(self, **media: str) -> None:
        """Set what the reader's system prefers, such as `color_scheme="dark"`."""
        features = [
            {"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in media.items()
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def size(self, width: int, height: int) -> None:
        """Set the size of the window's inside, in pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def accessibility_tree(self) -> list[tuple[str, str]]:
        """Return role and name of all that a screen reader reads."""
        nodes = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"]
        ]

    def console_messages(self) -> list[str]:
        """Return the new messages of the browser's console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def violations(self) -> list[str]:
        """Return what axe-core finds wrong for people who cannot see, point or tell colours apart."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        if not (cache / _AXE).exists():
            pytest.skip("axe-core is not in the cache: scripts/programs fetches it with npm")
        self.run((cache / _AXE).read_text(encoding="utf-8"))
        results = self.driver.execute_async_script(
            "axe.run(document, {resultTypes: ['violations']}).then(arguments[arguments.length - 1])"
        )
        return [
            f"{rule['id']}: {node['html'][:200]}: {node['failureSummary']}"
            for rule in results["violations"]
            for node in rule["nodes"]
        ]

    def save_screenshot(self, file: Path) -> None:
        """Keep what is shown as a PNG."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(self.driver.get_screenshot_as_png())

    @property
    def by(self) -> type[By]:
        """Selenium's ways to find an element."""
        return By


@contextmanager
def browser(folder: Path, *flags: str) -> Iterator[Browser]:
    """Yield a browser with a new profile in `folder`. The test is skipped where there is none."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("Chromium or its driver is missing: scripts/programs installs them")
    driver = webdriver.Chrome(options=_options(str(programs[0]), folder, flags), service=Service(programs[1]))
    try:
        driver.set_page_load_timeout(60)
        driver.set_script_timeout(60)
        yield Browser(driver)
    finally:
        driver.quit()


def _options(program: str, folder: Path, flags: Sequence[str]) -> webdriver.ChromeOptions:
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*_FLAGS, f"--user-data-dir={folder}", *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return options
