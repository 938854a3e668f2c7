"""The page and its parts, read once and served from memory."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bot.web.settings import WebSettings

# Not `mimetypes`: it asks the machine, and with nosniff a wrong answer breaks the page.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """One file of the page."""

    content: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, content: bytes, suffix: str) -> Asset:
        """Wrap the bytes of a file with that suffix."""
        return cls(content, _TYPES[suffix], f'"{hashlib.sha256(content).hexdigest()[:20]}"')

    def answer(self, request: Request) -> Response:
        """Send it, or only word that the browser's copy is current."""
        headers = {"cache-control": "no-cache", "etag": self.etag}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


@dataclass(frozen=True)
class Pages:
    """Everything that a browser loads.

    Attributes:
        index: The chat page, with the limits filled in.
        assets: Style, scripts and icon by file name.
        error: The page that says why there is no page.
    """

    index: Asset
    assets: Mapping[str, Asset]
    error: Template

    @classmethod
    def load(cls, settings: WebSettings) -> Pages:
        """Read the files that come with the package."""
        files = {
            entry.name: entry.read_bytes()
            for entry in resources.files("bot.web").joinpath("static").iterdir()
        }
        index = Template(files.pop("index.html").decode()).substitute(
            picture_bytes=settings.picture_bytes, pictures=settings.pictures
        )
        error = Template(files.pop("error.html").decode())
        assets = {
            name: Asset.of(content, name[name.rindex(".") :]) for name, content in files.items()
        }
        return cls(Asset.of(index.encode(), ".html"), assets, error)

    def error_page(self, status: int, title: str, sentence: str) -> HTMLResponse:
        """Build the page for something that went wrong."""
        page = self.error.substitute(title=html.escape(title), sentence=html.escape(sentence))
        return HTMLResponse(page, status_code=status)
