"""A headless Chromium, what a person does on Glimpse's page, and a model that is no model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from bot.assistant.types import ModelAnswer
from data.images.open import Picture
from model.errors import EngineBusy
from model.requests import (
    NO_CONTEXT,
    SHORT_ANSWERS,
    Answer,
    Capabilities,
    ChatContext,
    DetectedObject,
)

BROWSER = Path("/usr/bin/chromium")
DRIVER = Path("/usr/bin/chromedriver")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
]


def installed() -> bool:
    return BROWSER.exists() and DRIVER.exists()


def start_browser(profile: Path) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(str(DRIVER)))


class Writing:
    """A chat model that writes what a test tells it to."""

    def __init__(self) -> None:
        self.begun = threading.Event()

    def begin(self, context: ChatContext) -> Future[Any]:
        assert context.on_text
        self.write, self.future = context.on_text, Future[Any]()
        self.begun.set()
        return self.future

    def end(self, text: str) -> None:
        _finish(self.future, Answer(text, None, 0.01))


@dataclass
class FakeEngine:
    """Sees one thing: whether a picture is rather red or rather blue."""

    busy: bool = False
    seconds: float = 0.0
    profile: Any = None
    waiting: int = 0
    ranks: list[int] = field(default_factory=list)
    objects: tuple[DetectedObject, ...] = ()
    writing: Writing | None = None

    def capabilities(self, profile: str = "") -> Capabilities:
        return SHORT_ANSWERS

    def submit(
        self,
        picture: Picture,
        question: str | None,
        rank: int = 0,
        context: ChatContext = NO_CONTEXT,
    ) -> Future[ModelAnswer]:
        if self.busy:
            raise EngineBusy
        self.ranks.append(rank)
        if self.writing:
            return self.writing.begin(context)
        red, _, blue = picture.image.resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
        colour = "red" if red > blue else "blue"
        text = f"a {colour} wall" if question is None else colour
        answer = Answer(text, 0.9, 0.01, objects=self.objects)
        future: Future[Any] = Future()
        threading.Timer(self.seconds, _finish, [future, answer]).start()
        return future


def _finish(future: Future[Any], answer: Any) -> None:
    if future.set_running_or_notify_cancel():
        future.set_result(answer)


class Page:
    """What a person does on the page, and what they see there."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        return [found.text for found in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def until(self, ready: Callable[[], Any]) -> Any:
        end = time.monotonic() + 8
        while True:
            with suppress(StaleElementReferenceException):  # it changes while it is looked at
                if result := ready():
                    return result
            assert time.monotonic() < end, self.find("body").text
            time.sleep(0.02)

    def add(self, *paths: str) -> None:
        self.find("#files").send_keys("\n".join(paths))

    def type(self, *keys: str) -> None:
        self.find("#question").send_keys(*keys)

    def answers(self, count: int) -> list[str]:
        """Wait until Glimpse has said that many things, and read them."""
        said = ".theirs:not(.typing)"
        self.until(lambda: len(self.texts(said)) >= count and not self.texts(".typing"))
        return [text.removeprefix("Glimpse:\n") for text in self.texts(said)]

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def focused(self) -> str:
        return str(self.run("return document.activeElement.id || document.activeElement.className"))

    def screen(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {
            "name": "prefers-reduced-motion",
            "value": "reduce",
        }  # what moves in is not seen yet
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, still]})


def fresh_page(browser: webdriver.Chrome, address: str) -> Iterator[Page]:
    """The page as somebody new sees it, in a new tab; nothing may have gone wrong in the end."""
    page = Page(browser)
    page.screen(1280, 800)
    browser.delete_all_cookies()
    browser.get(f"{address}healthz")  # where no script keeps what it shows
    page.run("sessionStorage.clear()")  # a new tab
    browser.get(address)
    browser.get_log("browser")
    yield page
    assert [entry["message"] for entry in browser.get_log("browser")] == []
