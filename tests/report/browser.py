"""A real browser without a window; tests skip where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

MOST_S = 20
"""How long a browser may take before a test gives up."""

PHONE = (390, 844)


class Browser:
    """Opens pages and asks them."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, path: Path, *, size: tuple[int, int] = (1280, 900), dark: bool = False) -> None:
        """A file, in a window of that size, of a reader who likes it dark or not."""
        self.driver.get_log("browser")  # forgets what pages before it said
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": size[0],
                "height": size[1],
                "deviceScaleFactor": 1,
                "mobile": size == PHONE,
            },
        )
        self.prefer(dark=dark)
        self.driver.get(path.resolve().as_uri())

    def prefer(self, *, dark: bool) -> None:
        """What the system of the reader is set to."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def ask(self, script: str, *values: object) -> Any:
        """What a script returns."""
        return self.driver.execute_script(f"return {script}", *values)

    def click(self, selector: str) -> None:
        """As a reader does: scrolled to and clicked with the mouse."""
        from selenium.webdriver.common.by import By

        element = self.driver.find_element(By.CSS_SELECTOR, selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def wait(self, holds: Callable[[], object]) -> None:
        """Until it holds."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, MOST_S, 0.02).until(lambda _: holds())

    def draw_all(self) -> None:
        """Every figure that is not hidden, as for printing."""
        self.driver.execute_script("window.dispatchEvent(new Event('beforeprint'))")
        self.wait(
            lambda: self.ask(
                "[...document.querySelectorAll('.plot')]"
                ".every(p => p.offsetParent === null || p.classList.contains('drawn'))"
            )
        )

    def complaints(self) -> list[str]:
        """What the console says, errors and warnings."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's chromium, driven without downloads."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no browser: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    opened = webdriver.Chrome(options=options, service=service)
    try:
        yield Browser(opened)
    finally:
        opened.quit()
