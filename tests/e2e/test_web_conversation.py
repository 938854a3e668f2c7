"""Conversations of the page in a real browser: tabs, reloads, forgetting, second thoughts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import FakeEngine, Page, installed
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from bot.assistant.assistant import Assistant
from bot.assistant.conversations import Conversations
from bot.assistant.locale.german import GERMAN
from bot.assistant.privacy import Recorder
from bot.log import Log
from bot.log.queries import latest
from bot.log.schema import open_to_read
from bot.settings import WebSettings
from bot.web.app import create_app
from bot.web.server import WebServer, listen

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not installed(), reason="needs Debian's chromium"),
]


class Forgetful(Conversations):
    """Forgets what it knew when it is told to, as after a restart."""

    def restart(self) -> None:
        self.__init__()  # type: ignore[misc]


class World:
    """A server with a log, and what it remembers."""

    def __init__(self, folder: Path) -> None:
        self.engine, self.memory = FakeEngine(), Forgetful()
        self.path = folder / "log.db"
        self.log = Log(self.path, b"k" * 32)
        self.assistant = Assistant(
            self.engine, conversations=self.memory, recorder=Recorder(self.log)
        )

    def questions(self) -> list[Any]:
        """What the log holds of questions, the latest first."""
        self.log.consent("web", "").result()  # all before it is written
        return [row["question"] for row in latest(open_to_read(self.path), 1000)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("log"))
    yield world
    world.log.close()


@pytest.fixture(scope="module")
def address(world: World) -> Iterator[str]:
    with listen("127.0.0.1", 0) as listener:
        server = WebServer(create_app(world.assistant), "ready", WebSettings(shutdown_seconds=1))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("photos")
    made = {}
    for colour in ("red", "blue"):
        made[colour] = str(folder / f"{colour}.png")
        Image.new("RGB", (300, 200), colour).save(made[colour])
    made["text"] = str(folder / "text.jpg")
    Path(made["text"]).write_bytes(b"not a photo")
    return made


@pytest.fixture
def page(browser: webdriver.Chrome, address: str, world: World) -> Iterator[Page]:
    world.engine.busy, world.engine.seconds = False, 0.0
    speak(browser, "en")
    page = Page(browser)
    page.screen(1280, 800)
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    browser.switch_to.new_window("tab")
    first = browser.current_window_handle
    browser.get(address)
    browser.get_log("browser")
    yield page
    for handle in browser.window_handles[1:]:
        browser.switch_to.window(handle)
        assert [entry["message"] for entry in browser.get_log("browser")] == []
        browser.close()
    assert first not in browser.window_handles
    browser.switch_to.window(browser.window_handles[0])


def speak(browser: webdriver.Chrome, language: str) -> None:
    """What the browser asks pages to be in."""
    browser.execute_cdp_cmd("Network.enable", {})
    headers = {"Accept-Language": f"{language}-AT,{language};q=0.9,fr;q=0.5"}
    browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": headers})


def send(page: Page, photo: str, question: str = "") -> None:
    before = len(page.texts(".theirs:not(.typing)"))
    page.until(lambda: page.find("#add").is_displayed())
    page.add(photo)
    page.type(question, Keys.ENTER)
    page.answers(before + 1)


def ask(page: Page, question: str) -> str:
    before = len(page.texts(".theirs:not(.typing)"))
    page.type(question, Keys.ENTER)
    return page.answers(before + 1)[-1]


def stored(page: Page) -> int:
    """How many photos this browser keeps."""
    return int(
        page.driver.execute_async_script("""
            const done = arguments[0];
            indexedDB.open("glimpse").onsuccess = ({target: {result}}) => {
                const photos = result.transaction("photos").objectStore("photos");
                photos.count().onsuccess = ({target}) => { result.close(); done(target.result); };
            };""")
    )


def test_each_tab_asks_about_its_own_photo(
    page: Page, address: str, photos: dict[str, str]
) -> None:
    first = page.driver.current_window_handle
    send(page, photos["red"])
    page.driver.switch_to.new_window("tab")
    page.driver.get(address)
    send(page, photos["blue"])
    page.driver.switch_to.window(first)
    assert ask(page, "What colour is it?") == "Red."
    page.driver.switch_to.window(page.driver.window_handles[-1])
    page.find("#new-chat").click()
    page.until(lambda: page.find("#welcome").is_displayed())
    page.driver.switch_to.window(first)
    assert ask(page, "What colour is this?") == "Red."


def test_a_duplicated_tab_shows_the_same_and_goes_its_own_way(
    page: Page, photos: dict[str, str]
) -> None:
    first = page.driver.current_window_handle
    send(page, photos["red"])
    page.run("window.open(location.href)")  # copies the tab's storage, as Duplicate does
    page.driver.switch_to.window(page.driver.window_handles[-1])
    page.until(lambda: page.texts(".mine img"))
    assert ask(page, "What colour is it?") == "Red."
    send(page, photos["blue"])
    assert ask(page, "What colour is it?") == "Blue."
    page.driver.switch_to.window(first)
    assert ask(page, "What colour is it?") == "Red."


def test_a_reload_shows_the_conversation_and_asks_about_the_photo_again(
    page: Page, world: World, photos: dict[str, str]
) -> None:
    send(page, photos["red"], "What colour is it?")
    page.driver.refresh()
    page.until(lambda: page.texts(".mine img"))
    assert page.answers(1) == ["Red."]
    assert page.texts(".bubble") == ["What colour is it?"]
    assert page.texts(".chip") == ["Caption it", "", "", "Try again"]
    assert page.find("#new-chat").is_displayed()
    assert ask(page, "What colour is this?") == "Red."
    world.memory.restart()
    page.driver.refresh()
    page.until(lambda: len(page.texts(".bubble")) == 2)
    assert ask(page, "And what colour is the wall?") == "Red."  # the photo went along
    world.memory.restart()
    world.engine.ranks.clear()
    page.find(".chips .chip:last-of-type").click()
    assert page.answers(4)[-1] == "Red."
    assert world.engine.ranks == [1]  # another answer to the same question, not a caption


@pytest.mark.parametrize(
    "kept",
    ["", "null", "{", '{"exchanges": [null]}', '{"conversation": 5, "exchanges": [{"ids": 7}]}'],
)
def test_what_another_version_kept_does_not_stop_the_page(
    page: Page, photos: dict[str, str], kept: str
) -> None:
    page.driver.execute_script("sessionStorage.setItem('glimpse', arguments[0])", kept)
    page.driver.refresh()
    send(page, photos["red"])
    assert ask(page, "What colour is it?") == "Red."


def test_forget_me_clears_every_tab_and_this_browser(
    page: Page, address: str, world: World, photos: dict[str, str]
) -> None:
    before = len(world.questions())
    first = page.driver.current_window_handle
    send(page, photos["red"])
    page.driver.switch_to.new_window("tab")
    page.driver.get(address)
    send(page, photos["blue"])
    assert stored(page) >= 2
    page.find("#menu-button").send_keys(Keys.ARROW_UP)  # the last of the menu
    assert page.focused() == "forget"
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert page.focused() == "menu-button"
    page.find("#menu-button").click()
    page.find("#forget").click()
    page.find("#forget-dialog [value='']").click()  # thinks better of it
    assert page.texts(".mine img")
    page.find("#menu-button").click()
    page.find("#forget").click()
    page.find("#forget-dialog [value=yes]").click()
    page.until(lambda: page.run("return !document.querySelector('.mine')"))
    (said,) = page.answers(1)
    assert "forgotten" in said
    assert stored(page) == 0
    page.driver.switch_to.window(first)
    page.until(lambda: page.find("#welcome").is_displayed())
    page.driver.refresh()
    page.until(lambda: page.find("#welcome").is_displayed())
    assert not page.texts(".mine")
    assert len(world.questions()) == before  # of theirs, nothing


def test_stop_gives_the_message_back_and_the_log_holds_nothing_of_it(
    page: Page, world: World, photos: dict[str, str]
) -> None:
    send(page, photos["red"], "What colour is it?")
    world.engine.seconds = 0.5
    page.type("Is this stopped?", Keys.ENTER)
    page.until(lambda: page.find("#stop").is_displayed())
    page.find("#stop").click()
    page.until(lambda: page.find("#question").get_attribute("value") == "Is this stopped?")
    assert page.answers(1) == ["Red."]
    assert page.texts(".chip") == ["Caption it", "", "", "Try again"]
    page.find("#question").clear()
    world.engine.seconds = 0.0
    assert ask(page, "What colour is this?") == "Red."
    assert "Is this stopped?" not in world.questions()


def test_a_photo_that_was_stopped_is_not_what_the_next_question_is_about(
    page: Page, world: World, photos: dict[str, str]
) -> None:
    send(page, photos["red"])
    world.engine.seconds = 0.5
    page.add(photos["blue"])
    page.type(Keys.ENTER)
    page.until(lambda: world.engine.ranks and page.find("#stop").is_displayed())
    page.find("#stop").click()
    page.until(lambda: page.texts("#tray li"))
    world.engine.seconds = 0.0
    page.find("#tray .remove").click()
    assert ask(page, "What colour is it?") == "Red."


def test_a_double_click_on_send_does_not_stop_it(page: Page, photos: dict[str, str]) -> None:
    page.add(photos["red"])
    page.until(lambda: page.find("#send").get_attribute("aria-disabled") == "false")
    ActionChains(page.driver).double_click(page.find("#send")).perform()
    assert page.answers(1)[0].startswith("A red wall.")


def test_the_page_works_where_the_browser_stores_nothing(
    page: Page, photos: dict[str, str], address: str
) -> None:
    refusal = """
        for (const name of ["sessionStorage", "indexedDB", "BroadcastChannel"])
            Object.defineProperty(window, name, {get() { throw new Error("denied"); }});"""
    command = "Page.addScriptToEvaluateOnNewDocument"
    script = page.driver.execute_cdp_cmd(command, {"source": refusal})
    try:
        page.driver.get(address)
        send(page, photos["red"])
        assert ask(page, "What colour is it?") == "Red."
        ask(page, "/settings de")  # would be lost by loading the page again
        page.find("#new-chat").click()
        page.until(lambda: page.find("#welcome").is_displayed())
    finally:
        page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


@pytest.mark.parity("an edited question changes its answer", "chat page")
def test_the_last_question_can_be_changed_and_an_answer_copied_and_exported(
    page: Page, photos: dict[str, str], tmp_path: Path
) -> None:
    send(page, photos["red"], "What colour is teh wall?")
    ask(page, "What colour is the first?")
    assert len(page.texts(".edit")) == 1
    page.run("document.querySelector('.edit').click()")
    assert page.find("#question").get_attribute("value") == "What colour is the first?"
    page.type(Keys.ESCAPE)
    assert page.find("#question").get_attribute("value") == ""
    page.run("document.querySelector('.edit').click()")
    page.find("#question").clear()
    page.type("What colour is the floor?", Keys.ENTER)
    page.until(lambda: page.texts(".bubble")[-1] == "What colour is the floor?")
    assert page.answers(2) == ["Red.", "Red."]
    assert page.texts(".bubble") == ["What colour is teh wall?", "What colour is the floor?"]

    page.run("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.run("document.querySelector('.copy').click()")
    page.until(lambda: page.run("return window.copied"))
    assert page.run("return window.copied") == "Red."

    where = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    page.find("#menu-button").click()
    page.find("#export").click()
    file = tmp_path / "glimpse-conversation.html"
    page.until(file.exists)
    page.until(lambda: "What colour is the floor?" in file.read_text())
    assert "data:image/jpeg" in file.read_text()


def test_a_double_click_on_a_thumb_hits_nothing_else_and_a_bad_answer_is_put_right(
    page: Page, world: World, photos: dict[str, str]
) -> None:
    send(page, photos["red"], "What colour is it?")
    good, bad = page.driver.find_elements(By.CSS_SELECTOR, ".chip[aria-pressed]")
    ActionChains(page.driver).double_click(good).perform()
    page.until(lambda: page.texts(".thanks"))
    assert not page.texts(".right")
    assert page.texts(".bubble") == ["What colour is it?"]  # nothing was tried again
    bad.click()
    page.until(lambda: page.texts(".right"))
    assert bad.get_attribute("aria-pressed") == "true"
    page.driver.switch_to.active_element.send_keys("crimson", Keys.ENTER)
    page.until(lambda: page.run("return !document.querySelector('.right')"))
    (thanks,) = page.texts(".thanks")
    assert "passed it on" in thanks
    world.questions()
    row = open_to_read(world.path).execute("SELECT good, correction FROM ratings").fetchall()
    assert row[-1] == (0, "crimson")


def test_nothing_is_offered_again_where_it_cannot_succeed(
    page: Page, world: World, photos: dict[str, str]
) -> None:
    send(page, photos["text"])
    assert len(page.texts(".error")) == 1
    assert not page.texts(".again")
    world.engine.busy = True
    send(page, photos["red"])
    assert len(page.texts(".again")) == 1


def test_the_question_is_counted_near_its_limit(page: Page) -> None:
    page.type("x" * 100)
    assert not page.find("#counter").is_displayed()
    page.type("x" * 250)
    assert page.find("#counter").text == "300 / 300"
    assert len(page.find("#question").get_attribute("value") or "") == 300


def test_photos_are_numbered_and_an_answer_says_which_one_it_is_about(
    page: Page, photos: dict[str, str]
) -> None:
    page.add(photos["red"], photos["blue"])
    page.type(Keys.ENTER)
    page.answers(1)
    number = "return getComputedStyle(document.querySelectorAll('.mine .photo')[1], '::after')"
    assert page.run(f"{number}.content") == "counter(photo)"
    assert ask(page, "Which one is a red wall?").startswith("None of them")
    assert ask(page, "What colour is photo 1?") == "Photo 1\nRed."
    page.driver.refresh()
    page.until(lambda: len(page.texts(".theirs")) == 3)
    assert page.answers(3)[-1] == "Photo 1\nRed."


@pytest.mark.parity("German", "chat page")
def test_a_german_browser_gets_german_until_its_person_chooses_another_language(
    page: Page, photos: dict[str, str]
) -> None:
    speak(page.driver, "de")
    page.driver.refresh()
    assert page.run("return document.documentElement.lang") == "de"
    assert page.find("#welcome h2").text == "Zeig mir ein Foto"
    send(page, photos["red"], "Welche Farbe hat die Wand?")
    assert page.answers(1) == ["Rot."]
    assert page.texts(".chip") == [GERMAN.caption_button, "", "", GERMAN.retry_button]
    page.find("#menu-button").click()
    page.find("[data-says='/settings']").click()
    page.answers(2)
    page.driver.find_element(By.XPATH, "//button[text()='English']").click()
    page.until(lambda: page.run("return document.documentElement.lang") == "en")
    page.until(lambda: len(page.texts(".theirs")) == 3)  # nothing was lost on the way
    assert ask(page, "hello").startswith("Hello")
