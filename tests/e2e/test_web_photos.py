"""Photos on the page in a real browser: made smaller, on their way, in view, large, in part."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browsing import FakeEngine, Page, fresh_page, installed
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from bot.assistant.assistant import Assistant
from bot.assistant.types import Attachment, Draft, Incoming, Reply
from bot.settings import WebSettings
from bot.web.app import create_app
from bot.web.server import WebServer, listen

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not installed(), reason="needs Debian's chromium"),
]


class Remembering(Assistant):
    """Keeps what was sent."""

    sent: list[tuple[str, tuple[Attachment, ...]]]

    async def handle(self, incoming: Incoming, draft: Draft | None = None) -> Reply | None:
        self.sent.append((incoming.text, incoming.pictures))
        return await super().handle(incoming)


@pytest.fixture(scope="module")
def assistant() -> Remembering:
    return Remembering(FakeEngine())


@pytest.fixture(scope="module")
def address(assistant: Remembering) -> Iterator[str]:
    with listen("127.0.0.1", 0) as listener:
        server = WebServer(create_app(assistant), "ready", WebSettings(shutdown_seconds=1))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


@pytest.fixture
def page(browser: webdriver.Chrome, address: str, assistant: Remembering) -> Iterator[Page]:
    assistant.sent = []
    yield from fresh_page(browser, address)


def halves(width: int, height: int) -> Image.Image:
    """Red at the left, blue at the right."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


def saved(folder: Path, name: str, image: Image.Image, **how: object) -> str:
    image.save(folder / name, **how)  # type: ignore[arg-type]
    return str(folder / name)


def colour(content: bytes, x: float, y: float) -> str:
    image = Image.open(io.BytesIO(content)).convert("RGB")
    red, green, blue = image.getpixel((int(x * image.width), int(y * image.height)))  # type: ignore[misc]
    if min(red, green, blue) > 200:
        return "white"
    return "red" if red > blue else "blue"


def test_large_photos_are_made_smaller_and_upright(
    page: Page, assistant: Remembering, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    large = saved(tmp_path, "IMG_1.jpeg", halves(2400, 1200), exif=exif, quality=95)
    clear = Image.new("RGBA", (2000, 10), (0, 0, 0, 0))
    see_through = saved(tmp_path, "clear.png", clear, compress_level=0)
    page.add(large, see_through)
    page.type(Keys.ENTER)
    page.answers(1)
    ((_, (photo, flat)),) = assistant.sent
    with Image.open(io.BytesIO(photo.content)) as image:
        assert (image.format, image.size) == ("JPEG", (800, 1600))
        assert not image.getexif()
    assert photo.name == "IMG_1.jpg"
    assert (colour(photo.content, 0.5, 0.2), colour(photo.content, 0.5, 0.8)) == ("red", "blue")
    assert colour(flat.content, 0.5, 0.5) == "white"
    assert page.run("return document.querySelector('.mine img').naturalWidth") == 800


def test_what_is_small_moves_or_cannot_be_opened_goes_as_it_is(
    page: Page, assistant: Remembering, tmp_path: Path
) -> None:
    frames = [Image.new("RGB", (1700, 100), each) for each in ("red", "blue")]
    more = {"save_all": True, "append_images": frames[1:]}
    paths = [
        saved(tmp_path, "small.jpg", halves(1600, 1200)),
        saved(tmp_path, "moves.webp", frames[0], **more),
        saved(tmp_path, "moves.png", frames[0], **more),
        saved(tmp_path, "moves.gif", frames[0], **more),
        saved(tmp_path, "scan.tiff", halves(1700, 1700)),
        saved(tmp_path, "flat.png", Image.new("RGB", (1601, 1), "red"), optimize=True),
    ]
    page.add(*paths)
    page.type(Keys.ENTER)
    page.answers(1)
    ((_, photos),) = assistant.sent
    assert [photo.content for photo in photos] == [Path(path).read_bytes() for path in paths]


def test_the_digest_and_what_is_kept_are_those_of_the_smaller_photo(
    page: Page, assistant: Remembering, tmp_path: Path
) -> None:
    page.add(saved(tmp_path, "large.jpg", halves(3000, 2000)))
    page.type(Keys.ENTER)
    page.answers(1)
    ((_, (photo,)),) = assistant.sent
    told = page.run("return JSON.parse(sessionStorage.glimpse).exchanges[0].reply.pictures[0]")
    assert told["digest"] == hashlib.sha256(photo.content).hexdigest()
    page.driver.refresh()
    page.answers(1)
    assert page.run("return document.querySelector('.mine img').naturalWidth") == 1600


def test_a_file_that_stays_too_large_is_refused(page: Page) -> None:
    page.run("""
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(20_000_001)], 'a.tiff', {type: 'image/tiff'}));
        document.body.dispatchEvent(
            new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));""")
    assert "larger than 20 MB" in page.until(lambda: page.find("#notice").text)
    assert page.texts("#tray li") == []


def test_a_slow_upload_shows_how_far_it_is_and_can_be_given_up(
    page: Page, assistant: Remembering, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    scan = saved(tmp_path, "scan.tiff", Image.fromarray(noise))
    page.add(scan)
    page.until(lambda: page.texts("#tray .tile"))
    network(page, 60_000)
    page.type("What is this?", Keys.ENTER)
    page.until(lambda: page.texts(".sending progress"))
    share = page.find(".sending progress").get_attribute("value")
    assert 0 < float(share or 0) < 1
    assert page.find(".sending span").text.startswith("Sending, ")
    page.find(".sending .quiet").click()
    page.until(lambda: not page.texts(".typing"))
    network(page, -1)
    assert page.find("#question").get_attribute("value") == "What is this?"
    assert len(page.texts("#tray li")) == 1
    page.type(Keys.ENTER)
    page.answers(1)
    assert [(text, len(photos)) for text, photos in assistant.sent] == [("What is this?", 1)]


def network(page: Page, rate: int) -> None:
    page.driver.execute_cdp_cmd("Network.enable", {})
    page.driver.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": rate},
    )


def test_a_sample_is_asked_about_with_one_click(page: Page, assistant: Remembering) -> None:
    samples = page.driver.find_elements(By.CSS_SELECTOR, ".sample")
    assert [each.accessible_name for each in samples] == [
        "Try a photo of a cat", "Try a photo of a cup of coffee", "Try a photo of a tower",
    ]  # fmt: skip
    for image in page.driver.find_elements(By.CSS_SELECTOR, ".sample img"):
        page.until(lambda image=image: int(image.get_property("naturalWidth")) > 400)
    samples[1].click()
    assert page.answers(1)
    ((text, (photo,)),) = assistant.sent
    folder = Path(__file__).parents[2] / "data/samples"
    assert (text, photo.name) == ("", "coffee.jpg")
    assert photo.content == (folder / "coffee.jpg").read_bytes()


@pytest.mark.parametrize(("pointer", "shown"), [("coarse", True), ("fine", False)])
def test_phones_get_a_camera(page: Page, tmp_path: Path, pointer: str, shown: bool) -> None:
    touch = {"enabled": pointer == "coarse"}
    page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", touch)
    page.screen(390, 700, phone=shown)
    assert page.find("#camera").is_displayed() is shown
    shot = page.find("#shot")
    assert shot.get_attribute("capture") == "environment"
    shot.send_keys(saved(tmp_path, "shot.jpg", halves(300, 200)))
    page.until(lambda: page.texts("#tray li"))
    page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def send(page: Page, *paths: str) -> None:
    page.add(*paths)
    page.type(Keys.ENTER)
    page.answers(1)


def test_the_photo_stays_in_view_and_opens_large(page: Page, tmp_path: Path) -> None:
    assert not page.find("#in-view").is_displayed()
    send(
        page,
        saved(tmp_path, "one.jpg", Image.new("RGB", (300, 200), "red")),
        saved(tmp_path, "two.jpg", Image.new("RGB", (200, 300), "blue")),
    )
    view = page.find("#in-view")
    assert view.is_displayed()
    assert view.text == "2"
    page.add(saved(tmp_path, "three.jpg", halves(30, 20)))
    page.until(lambda: not view.is_displayed())  # what waits to be sent is in its place
    page.find("#tray .remove").click()
    view.send_keys(Keys.ENTER)
    assert page.find(".lightbox").is_displayed()
    image = page.find(".stage img")
    assert image.accessible_name == "A red wall."
    assert page.find(".lightbox-count").text == "1 / 2"
    for _ in range(12):  # the focus stays inside, but for the browser's own buttons
        ActionChains(page.driver).send_keys(Keys.TAB).perform()
        assert page.run("return document.activeElement.matches('.lightbox *, body')")
    page.find(".lightbox .close").send_keys(Keys.ARROW_RIGHT)
    assert page.find(".lightbox-count").text == "2 / 2"
    ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
    page.until(lambda: not page.find(".lightbox").is_displayed())
    assert page.focused() == "in-view"
    page.driver.find_elements(By.CSS_SELECTOR, ".mine .photo")[1].click()
    assert page.find(".lightbox-count").text == "2 / 2"
    page.find(".lightbox .close").click()
    page.find("#new-chat").click()
    page.until(lambda: not view.is_displayed())


def test_a_part_is_marked_by_dragging_and_asked_about(
    page: Page, assistant: Remembering, tmp_path: Path
) -> None:
    send(page, saved(tmp_path, "halves.jpg", halves(400, 200)))
    page.find(".mine .photo").click()
    stage = page.until(lambda: page.find(".stage img"))
    page.until(lambda: stage.size["width"] > 400)
    assert not page.find(".part .primary").is_displayed()
    wide, high = stage.size["width"], stage.size["height"]
    drag = ActionChains(page.driver).move_to_element_with_offset(stage, wide // 4, -high // 4)
    drag.click_and_hold().move_by_offset(wide // 5, high // 2).release().perform()
    page.find(".part input").send_keys("What colour is it?", Keys.ENTER)
    assert page.answers(2)[1] == "Blue."
    text, (part,) = assistant.sent[1]
    assert (text, part.name) == ("What colour is it?", "part of photo.jpg")
    with Image.open(io.BytesIO(part.content)) as image:
        assert image.size == pytest.approx((80, 100), abs=4)
    assert not page.find(".lightbox").is_displayed()
    assert len(page.texts(".mine img")) == 2
    page.type("What colour is the wall?", Keys.ENTER)  # goes on about the part
    assert page.answers(3)[2] == "Blue."


def test_a_part_is_marked_with_the_keyboard(
    page: Page, assistant: Remembering, tmp_path: Path
) -> None:
    send(page, saved(tmp_path, "halves.jpg", halves(400, 200)))
    page.find("#in-view").click()
    button = page.find(".part .quiet")
    assert button.accessible_name == "Mark a part"
    button.send_keys(Keys.ENTER)
    mark = page.find(".mark")
    assert page.focused() == "mark"
    mark.send_keys(*[Keys.ARROW_LEFT] * 20)  # stops at the edge
    mark.send_keys(Keys.SHIFT, *[Keys.ARROW_LEFT] * 5)
    page.find(".part .primary").click()
    page.answers(2)
    _, (part,) = assistant.sent[1]
    with Image.open(io.BytesIO(part.content)) as image:
        assert image.size == pytest.approx((160, 100), abs=4)
    assert {colour(part.content, x, 0.5) for x in (0.05, 0.95)} == {"red"}


def test_a_photo_that_the_browser_cannot_show_opens_as_a_tile(page: Page, tmp_path: Path) -> None:
    page.add(saved(tmp_path, "scan.tiff", halves(40, 20)))
    page.until(lambda: page.texts("#tray .tile"))
    page.type(Keys.ENTER)
    page.answers(1)
    page.find("#in-view").click()
    page.until(lambda: page.texts(".stage .tile"))
    assert not page.find(".part").is_displayed()
    page.find(".lightbox .close").click()


def test_a_browser_that_blurs_what_is_drawn_sends_photos_as_they_are(
    page: Page, assistant: Remembering, tmp_path: Path
) -> None:
    blur = """CanvasRenderingContext2D.prototype.getImageData = (x, y, width, height) =>
        ({data: new Uint8ClampedArray(4 * width * height).fill(255)});"""
    script = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": blur})
    page.driver.refresh()
    page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    large = saved(tmp_path, "large.jpg", halves(3000, 2000))
    send(page, large)
    ((_, (photo,)),) = assistant.sent
    assert photo.content == Path(large).read_bytes()
    page.find("#in-view").click()
    assert not page.find(".part").is_displayed()
    page.find(".lightbox .close").click()


@pytest.mark.parametrize("width", [320, 390])
def test_all_of_it_fits_a_phone(page: Page, tmp_path: Path, width: int) -> None:
    page.screen(width, 640, phone=True)
    page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    for button in page.driver.find_elements(By.CSS_SELECTOR, ".tool, .sample, .send"):
        assert min(button.size["width"], button.size["height"]) >= 44
        assert button.location["x"] + button.size["width"] <= width
    send(page, saved(tmp_path, "high.jpg", halves(500, 2000)))
    page.find("#in-view").click()
    page.until(lambda: page.find(".stage img").size["height"] > 100)
    page.find(".part .quiet").click()
    for found in page.driver.find_elements(By.CSS_SELECTOR, ".stage, .part input, .part .primary"):
        assert found.location["x"] >= 0
        assert found.location["x"] + found.size["width"] <= width
        assert found.location["y"] + found.size["height"] <= 640
    page.find(".lightbox .close").click()
    page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
