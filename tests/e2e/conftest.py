"""The browser that tests of the chat page share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsing import start_browser
from selenium import webdriver


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    driver = start_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()
