"""The page in a real browser, over a real server, with the real assistant and a fake model."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import FakeEngine, Page, Writing, fresh_page, installed
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from bot.assistant.assistant import Assistant
from bot.settings import WebSettings
from bot.web.app import create_app
from bot.web.server import WebServer, listen
from model.requests import DetectedObject

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not installed(), reason="needs Debian's chromium"),
]


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture(scope="module")
def address(engine: FakeEngine) -> Iterator[str]:
    with listen("127.0.0.1", 0) as listener:
        server = WebServer(create_app(Assistant(engine)), "ready", WebSettings(shutdown_seconds=1))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("photos")
    made = {}
    for name, colour in (("red.jpg", "red"), ("blue.png", "blue"), ("scan.tiff", "blue")):
        made[name] = str(folder / name)
        Image.new("RGB", (300, 200), colour).save(made[name])
    for name, content in (("broken.jpg", b"not a photo"), ("notes.txt", b"hello")):
        made[name] = str(folder / name)
        Path(made[name]).write_bytes(content)
    return made


@pytest.fixture
def page(browser: webdriver.Chrome, address: str, engine: FakeEngine) -> Iterator[Page]:
    engine.busy, engine.seconds, engine.objects, engine.writing = False, 0.0, (), None
    yield from fresh_page(browser, address)


@pytest.mark.parity("a caption of a photo", "chat page")
@pytest.mark.parity("an answer to a question about it", "chat page")
@pytest.mark.parity("more questions without sending it again", "chat page")
@pytest.mark.parity("a sign that an answer is on its way", "chat page")
def test_a_photo_a_caption_a_question_and_a_follow_up(
    page: Page, engine: FakeEngine, photos: dict[str, str]
) -> None:
    assert "Show me a photo" in page.find("#welcome").text
    engine.seconds = 1.5
    page.add(photos["red.jpg"])
    page.find("#send").click()
    log = page.find("#log")
    page.until(lambda: page.texts(".typing"))
    assert log.get_attribute("aria-busy") == "true"
    assert page.find("#send").get_attribute("aria-disabled") == "true"
    page.type("written while waiting", Keys.ENTER)  # must neither be sent nor lost
    assert page.find("#question").get_attribute("value") == "written while waiting"
    page.find("#question").clear()
    assert page.answers(1)[0].startswith("A red wall.")
    assert log.get_attribute("aria-busy") == "false"
    assert page.find(".mine img").get_attribute("alt") == "A red wall."
    engine.seconds = 0.0

    assert page.texts(".chip")
    page.find(".chip").click()
    assert page.answers(2)[1] == "Red."
    page.type("What colour is the wall?", Keys.ENTER)
    assert page.answers(3)[2] == "Red."
    page.find("#caption").click()
    assert page.answers(4)[3].startswith("A red wall.")
    assert len(page.texts(".mine img")) == 1
    assert page.texts(".bubble")[-1] == "Caption"


@pytest.mark.parity("a button for a caption", "chat page")
@pytest.mark.parity("👍 and 👎", "chat page")
@pytest.mark.parity("another answer: Try again, `/retry`", "chat page")
def test_an_answer_can_be_rated_and_tried_again(
    page: Page, engine: FakeEngine, photos: dict[str, str]
) -> None:
    page.add(photos["blue.png"])
    page.type("What colour is the wall?", Keys.ENTER)
    assert page.answers(1) == ["Blue."]
    assert page.texts(".chip") == ["Caption it", "", "", "Try again"]  # two are drawn
    good = page.find(".chip[aria-label]")
    assert good.accessible_name == "Good answer"
    good.click()
    page.until(lambda: page.texts(".thanks"))
    assert good.get_attribute("aria-pressed") == "true"
    assert len(page.texts(".bubble")) == 1  # a rating is nothing one says
    engine.ranks.clear()
    page.find(".chip:last-of-type").click()
    assert page.answers(2)[1] == "Blue."
    assert engine.ranks == [1]


def test_trying_again_leaves_the_photos_that_wait(
    page: Page, engine: FakeEngine, photos: dict[str, str]
) -> None:
    page.add(photos["blue.png"])
    page.type("What colour is the wall?", Keys.ENTER)
    page.answers(1)
    page.add(photos["red.jpg"])
    engine.ranks.clear()
    page.find(".chip:last-of-type").click()
    assert page.answers(2)[1] == "Blue."
    assert engine.ranks == [1]
    assert len(page.texts("#tray li")) == len(page.texts(".mine img")) == 1


def test_a_rating_that_gets_lost_can_be_given_again(page: Page, photos: dict[str, str]) -> None:
    page.add(photos["blue.png"])
    page.type("What colour is the wall?", Keys.ENTER)
    page.answers(1)
    network(page, offline=True)
    page.find(".chip[aria-label]").click()
    assert "cannot be reached" in page.until(lambda: page.texts(".thanks"))[0]
    assert page.texts(".chip") == ["Caption it", "", "", "Try again"]  # two are drawn
    network(page, offline=False)
    page.find(".chip[aria-label]").click()
    page.until(
        lambda: "cannot be reached" not in " ".join(page.texts(".thanks") or ["cannot be reached"])
    )


@pytest.mark.parity("several pictures, answered together by their numbers", "chat page")
@pytest.mark.parity("images as files, HEIC too", "chat page")
def test_several_photos_each_get_their_caption(page: Page, photos: dict[str, str]) -> None:
    page.add(photos["red.jpg"], photos["scan.tiff"])
    page.until(lambda: page.texts("#tray .tile") == ["TIFF"])
    page.add(photos["blue.png"])
    page.find("#tray li:last-child .remove").click()
    assert "remove" in page.focused()
    assert len(page.texts("#tray li")) == 2
    page.find("#caption").click()
    assert page.answers(1)[0].splitlines()[:2] == ["1. A red wall.", "2. A blue wall."]
    assert page.find(".mine img").get_attribute("alt") == "A red wall."
    assert page.find(".mine .tile").get_attribute("aria-label") == "A blue wall."


def test_what_goes_wrong_is_said_and_can_be_tried_again(
    page: Page, engine: FakeEngine, photos: dict[str, str]
) -> None:
    engine.busy = True
    page.add(photos["blue.png"])
    page.type("What colour is it?", Keys.ENTER)
    page.answers(1)
    assert len(page.texts(".error")) == 1
    engine.busy = False
    page.find(".again").click()
    page.until(lambda: not page.texts(".error"))
    assert page.answers(1) == ["Blue."]
    page.add(photos["broken.jpg"])
    page.type(Keys.ENTER)
    page.answers(2)
    assert page.find(".error p").text.endswith(".")
    assert "Traceback" not in page.find(".error").text

    network(page, offline=True)
    page.type("Still there?", Keys.ENTER)
    assert "cannot be reached" in page.answers(3)[2]
    network(page, offline=False)


def network(page: Page, *, offline: bool) -> None:
    page.driver.execute_cdp_cmd("Network.enable", {})
    speed = 0 if offline else -1
    how = {"latency": 0, "downloadThroughput": speed, "uploadThroughput": speed}
    page.driver.execute_cdp_cmd("Network.emulateNetworkConditions", how | {"offline": offline})
    page.driver.get_log("browser")  # the lost connection is reported there, rightly


def test_files_that_cannot_be_sent_are_refused_on_the_spot(
    page: Page, photos: dict[str, str]
) -> None:
    page.add(photos["notes.txt"])
    assert "not a photo" in page.until(lambda: page.find("#notice").text)
    page.run("document.querySelector('#notice').textContent = ''")
    drop = """
        const data = new DataTransfer();
        for (let i = 0; i < 11; i++)
            data.items.add(new File(['x'], i + '.png', {type: 'image/png'}));
        for (const type of ['dragover', 'drop']) document.body.dispatchEvent(
            new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));"""
    page.run(drop)
    assert "up to 10 photos" in page.until(lambda: page.find("#notice").text)
    assert len(page.texts("#tray li")) == 10
    assert not page.find("#drop").is_displayed()
    large = drop.replace("['x']", "[new Uint8Array(20_000_001)]").replace("i < 11", "i < 1")
    page.find("#tray .remove").click()
    page.run(large)
    assert "larger than 20 MB" in page.until(lambda: page.find("#notice").text)


def test_pasting_and_words_that_look_like_markup(page: Page) -> None:
    page.run("""
        const canvas = new OffscreenCanvas(40, 40), context = canvas.getContext('2d');
        context.fillStyle = 'blue'; context.fillRect(0, 0, 40, 40);
        canvas.convertToBlob().then((blob) => {
            const data = new DataTransfer();
            data.items.add(new File([blob], '<img src=x>.png', {type: 'image/png'}));
            document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}));
        });""")
    page.until(lambda: page.texts("#tray li"))
    page.type("What colour is <b id='no'>this</b>?", Keys.ENTER)
    page.answers(1)
    assert page.texts(".bubble") == ["What colour is <b id='no'>this</b>?"]
    assert not page.texts("#no")


@pytest.mark.parity("`/forget`, `/privacy`", "chat page")
def test_a_new_chat_forgets_the_photo(
    page: Page, engine: FakeEngine, photos: dict[str, str]
) -> None:
    page.add(photos["red.jpg"])
    page.type(Keys.ENTER)
    page.answers(1)
    engine.seconds = 0.2
    page.type("What colour is it?", Keys.ENTER)
    page.find("#new-chat").click()  # in the middle of an answer
    page.until(lambda: page.find("#welcome").is_displayed())
    assert page.texts(".message") == []
    assert page.find("#caption").get_attribute("aria-disabled") == "true"
    page.type("What colour is it?", Keys.ENTER)
    (answer,) = page.answers(1)
    assert "Red" not in answer
    assert "photo" in answer or "picture" in answer


def test_everything_works_from_the_keyboard(page: Page, photos: dict[str, str]) -> None:
    assert page.focused() == "question"
    page.add(photos["red.jpg"])
    page.type("line one", Keys.SHIFT + Keys.ENTER + Keys.NULL, "line two")
    assert page.find("#question").get_attribute("value") == "line one\nline two"
    page.find("#question").clear()
    page.type(Keys.ENTER)
    page.answers(1)
    page.run("document.querySelector('.skip').focus()")
    order = [page.focused()]
    for _ in range(14):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        order.append(page.focused())
    assert order[:4] == ["skip", "new-chat", "menu-button", "scroller"]
    assert [name.split()[-1] for name in order[4:5]] == ["copy"]
    assert [name.split()[0] for name in order[5:11]] == ["chip"] * 6
    assert order[11:15] == ["in-view", "question", "add", "caption"]
    ring = "return getComputedStyle(document.activeElement).outlineStyle"
    assert page.run(ring) == "solid"
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert page.answers(2)[1].startswith("A red wall.")
    assert page.focused() == "question"


@pytest.mark.parametrize("width", [320, 390, 430])
def test_a_phone_shows_all_of_it(page: Page, photos: dict[str, str], width: int) -> None:
    page.screen(width, 700, phone=True)
    page.add(photos["red.jpg"], photos["blue.png"], photos["scan.tiff"])
    page.type("What colour is " + "averyverylongword" * 10 + "?", Keys.ENTER)
    page.answers(1)
    size = page.run("""
        const box = document.querySelector('#composer').getBoundingClientRect();
        const font = getComputedStyle(document.querySelector('#question')).fontSize;
        return {page: document.documentElement.scrollWidth, log: document.querySelector('#scroller')
            .scrollWidth, left: box.left, right: box.right, bottom: box.bottom, font};""")
    assert size["page"] <= width
    assert size["log"] <= width
    assert size["left"] >= 0
    assert size["right"] <= width
    assert size["bottom"] <= 700
    assert float(size["font"].removesuffix("px")) >= 16
    buttons = page.driver.find_elements(By.CSS_SELECTOR, ".tool, .send, .quiet, .in-view")
    for button in (each for each in buttons if each.is_displayed()):
        assert min(button.size["width"], button.size["height"]) >= 44


def test_the_dark_is_dark(page: Page) -> None:
    def brightness() -> int:
        colour = page.run("return getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour[4:-1].split(","))

    light = brightness()
    page.screen(1280, 800, dark=True)
    assert brightness() < 120 < 600 < light


SEEN = (
    DetectedObject("person", 0.93, (0.1, 0.2, 0.5, 0.9)),
    DetectedObject("person", 0.61, (0.6, 0.05, 1.0, 0.9)),
    DetectedObject("cup", 0.4, (0.2, 0.5, 0.3, 0.6)),
)
# Where the boxes are, in shares of the photo as it is shown; and what they are called.
BOXES = """
    return [...document.querySelectorAll('.photo')].map((frame) => {
        const shown = frame.firstChild.getBoundingClientRect();
        return [...frame.querySelectorAll('.object')].map((item) => {
            const box = item.getBoundingClientRect();
            return [item.title, (box.left - shown.left) / shown.width,
                (box.top - shown.top) / shown.height, (box.right - shown.left) / shown.width,
                (box.bottom - shown.top) / shown.height];});});"""

# Where things are, from the photo on: it may have been scrolled into sight.
LAYOUT = """
    const {x: left, y: top} = document.querySelector('.photo').getBoundingClientRect();
    return [...document.querySelectorAll('.photo, .theirs p, .see, .chip')].map((one) => {
        const {x, y, width, height} = one.getBoundingClientRect();
        return [one.className, x - left, y - top, width, height];});"""


def boxes(page: Page) -> list[dict[str, list[float]]]:
    """For each photo, the edges of the boxes over it by their titles."""
    return [{title: edges for title, *edges in frame} for frame in page.run(BOXES)]


def send_with_objects(page: Page, engine: FakeEngine, photo: str) -> None:
    """Send a photo in a new chat, in which the engine sees something."""
    engine.objects = SEEN
    page.add(photo)
    page.type(Keys.ENTER)
    page.answers(1)


@pytest.mark.parity("the objects it sees, with their places", "chat page")
def test_what_is_seen_is_shown_over_the_photo_on_request(
    page: Page, engine: FakeEngine, photos: dict[str, str]
) -> None:
    send_with_objects(page, engine, photos["red.jpg"])
    names = page.find(".names")
    assert page.texts(".see") == ["Show what I see"]
    assert not names.is_displayed()
    assert boxes(page) == [{}]
    before = page.run(LAYOUT)
    page.find(".see").send_keys(Keys.SPACE)
    assert page.texts(".see") == ["Hide what I see"]
    assert page.focused() == "see"
    assert names.text.replace("\N{NO-BREAK SPACE}", " ") == "2 people, cup"
    assert page.run(LAYOUT) == before  # nothing has moved
    for width, dark in ((1280, False), (390, True)):
        page.screen(width, 800, dark=dark)
        (drawn,) = boxes(page)
        for seen in SEEN:
            title = f"{seen.name}, {100 * seen.score:.0f} %"
            assert drawn[title] == pytest.approx(seen.box, abs=0.01)
    assert page.texts(".object .name")  # words over the photo
    assert page.find(".objects").accessible_name == "Objects in the photo"
    page.find(".see").click()
    assert boxes(page) == [{}]
    assert not names.is_displayed()


def test_a_later_answer_takes_over_what_is_shown(
    page: Page, engine: FakeEngine, photos: dict[str, str]
) -> None:
    send_with_objects(page, engine, photos["red.jpg"])
    page.find(".see").click()
    engine.objects = SEEN[:1]
    page.type("What colour is it?", Keys.ENTER)
    page.answers(2)
    assert page.texts(".see") == ["Hide what I see"]  # the only one, under the new answer
    assert [len(frame) for frame in boxes(page)] == [1]
    page.add(photos["blue.png"])
    engine.objects = ()
    page.type(Keys.ENTER)
    page.answers(3)
    assert [len(frame) for frame in boxes(page)] == [1, 0]
    assert len(page.texts(".see")) == 1  # nothing was seen in the new photo
    page.find("#new-chat").click()
    page.until(lambda: page.find("#welcome").is_displayed())
    send_with_objects(page, engine, photos["red.jpg"])
    assert boxes(page) == [{}]  # a new chat shows nothing by itself


def test_boxes_follow_photos_that_are_cropped_or_cannot_be_shown(
    page: Page, engine: FakeEngine, photos: dict[str, str]
) -> None:
    engine.objects = SEEN
    page.add(photos["red.jpg"], photos["scan.tiff"])
    page.until(lambda: page.texts("#tray .tile"))
    page.type(Keys.ENTER)
    page.answers(1)
    page.find(".see").click()
    wide, unseen = boxes(page)
    assert unseen == {}  # a tile has nothing to draw on
    # The middle square of a photo of 3 : 2 is shown.
    assert wide["person, 93 %"] == pytest.approx((0.0, 0.2, 0.5, 0.9), abs=0.02)
    assert wide["person, 61 %"] == pytest.approx((0.65, 0.05, 1.0, 0.9), abs=0.02)
    lines = page.find(".names").text.replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert lines == ["1. 2 people, cup", "2. 2 people, cup"]


def test_boxes_are_never_drawn_over_another_photo(
    page: Page, engine: FakeEngine, photos: dict[str, str]
) -> None:
    send_with_objects(page, engine, photos["red.jpg"])
    page.run("""
        const body = new FormData();  // as a script would that meddles with the conversation
        const {conversation} = JSON.parse(sessionStorage.getItem("glimpse"));
        const headers = {"Glimpse-Conversation": conversation};
        body.append("text", "");
        const canvas = new OffscreenCanvas(40, 40);
        canvas.getContext("2d").fillRect(0, 0, 40, 40);
        canvas.convertToBlob().then((blob) => {
            body.append("pictures", blob, "other.png");
            return fetch("/api/messages", {method: "POST", body, headers});
        }).then(() => { document.body.dataset.sent = "yes"; });""")
    page.until(lambda: page.find("body").get_attribute("data-sent"))
    page.type("What colour is it?", Keys.ENTER)
    page.answers(2)
    newest = page.driver.find_elements(By.CSS_SELECTOR, ".see")[-1]
    newest.click()
    assert page.texts(".names")[-1].endswith("cup")
    assert boxes(page) == [{}]


def test_words_are_shown_as_they_come_and_heard_once(
    page: Page, photos: dict[str, str], engine: FakeEngine
) -> None:
    engine.writing = writing = Writing()
    page.add(photos["red.jpg"])
    page.find("#send").click()
    assert writing.begun.wait(8)
    writing.write("A red wall and")
    page.until(lambda: page.texts(".typing p") == ["A red wall and"])
    writing.write("A red wall and a bench.")
    page.until(lambda: page.texts(".typing p") == ["A red wall and a bench."])
    assert page.find(".typing > div").get_attribute("aria-hidden") == "true"
    assert page.find("#log").get_attribute("aria-busy") == "true"
    writing.end("A red wall and a bench.")
    (said,) = page.answers(1)
    assert said.startswith("A red wall and a bench.\n")
    assert page.find("#log").get_attribute("aria-busy") == "false"


def test_a_draft_ends_with_stop_and_is_asked_anew_after_a_reload(
    page: Page, photos: dict[str, str], engine: FakeEngine
) -> None:
    engine.writing = writing = Writing()
    page.add(photos["red.jpg"])
    page.type("What is it?", Keys.ENTER)
    assert writing.begun.wait(8)
    writing.write("It is a red wall and")
    page.until(lambda: page.texts(".typing p"))
    page.find("#stop").click()
    page.until(lambda: not page.texts(".message"))
    page.until(writing.future.cancelled)
    assert page.find("#question").get_attribute("value") == "What is it?"
    writing.begun.clear()
    page.type(Keys.ENTER)
    assert writing.begun.wait(8)
    writing.write("It is a red wall and")
    page.until(lambda: page.texts(".typing p"))
    page.driver.refresh()
    page.until(lambda: page.texts(".error .again"))
    engine.writing = None
    page.find(".error .again").click()
    assert page.answers(1) == ["A red wall."]
