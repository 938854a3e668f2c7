"""Reading a message from a multipart body, in memory only and within limits.

Starlette's own form parser spools files above 1 MB to the disk and knows no limit on a file.
Pictures must never reach the disk, so the parts are collected here, straight from
`python_multipart`, and every limit is checked as the bytes come in: a Content-Length header
that is absent or lies changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from bot.assistant.types import Attachment
from bot.settings import WebSettings
from bot.web.budget import UploadShare
from bot.web.security import RequestRefused

BROKEN = "The message arrived incomplete. Please send it again."
TOO_LONG = "That text is far too long. Please ask a short question."
NOT_A_FORM = "Send messages as multipart/form-data with the fields text and pictures."
TOO_MANY_FIELDS = "A message has one text and some pictures, nothing else."
_DRAIN_BYTES = 64_000_000
_DRAIN_SECONDS = 10.0
_NAME_LENGTH = 255


@dataclass(frozen=True)
class Upload:
    """What a person sent."""

    text: str
    pictures: tuple[Attachment, ...]


async def read_upload(request: Request, settings: WebSettings, share: UploadShare) -> Upload:
    """Read one message.

    What is left of a refused body is read and dropped, within bounds, since a browser that
    is cut off while it sends never shows the answer.

    Args:
        request: The request; its body was not read yet.
        settings: The limits.
        share: Accounts for the memory held, and knows how slow it may be.

    Raises:
        RequestRefused: 400, 408, 413, 415 or 503, with a sentence for the person.
        starlette.requests.ClientDisconnect: They went away.
    """
    stream = request.stream()
    try:
        return await _read(request, stream, settings, share)
    except RequestRefused:
        share.leave()  # what is dropped keeps nobody waiting
        await _drain(stream)
        raise
    finally:
        await stream.aclose()


async def read_body(request: Request, share: UploadShare, most: int) -> bytes:
    """Read a body that is no form, and drop what is left of one that is refused.

    Args:
        request: The request; its body was not read yet.
        share: Accounts for the memory held, and knows how slow it may be.
        most: Bytes that it may have.

    Raises:
        RequestRefused: 408, 413 or 503, with a sentence for the person.
        starlette.requests.ClientDisconnect: They went away.
    """
    stream = request.stream()
    too_large = RequestRefused(
        413, f"This request is too large; {most / 1e6:g} MB are allowed, pictures included."
    )
    body = bytearray()
    try:
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            raise too_large
        async for chunk in share.timed(stream):
            if len(body) + len(chunk) > most:
                raise too_large
            body += chunk
        return bytes(body)
    except RequestRefused:
        share.leave()
        await _drain(stream)
        raise
    finally:
        await stream.aclose()


async def _read(
    request: Request, stream: AsyncIterator[bytes], settings: WebSettings, share: UploadShare
) -> Upload:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise RequestRefused(415, NOT_A_FORM)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > settings.body_bytes:
        raise _too_much(settings)
    try:
        form = _Form(options.get(b"boundary", b""), settings)
        received = 0
        async for chunk in share.timed(stream):
            received += len(chunk)
            if received > settings.body_bytes:
                raise _too_much(settings)
            form.feed(chunk)
        return form.finish()
    except FormParserError as error:
        raise RequestRefused(400, BROKEN) from error


async def _drain(stream: AsyncIterator[bytes]) -> None:
    dropped = 0
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for chunk in stream:
                dropped += len(chunk)
                if dropped > _DRAIN_BYTES:
                    return
    except TimeoutError:
        return


def _too_much(settings: WebSettings) -> RequestRefused:
    megabytes = settings.picture_bytes / 1_000_000
    return RequestRefused(
        413,
        f"That is too much at once. Send up to {settings.pictures} photos"
        f" of at most {megabytes:g} MB each.",
    )


class _Form:
    """The parts of one body, collected through the parser's callbacks."""

    def __init__(self, boundary: bytes, settings: WebSettings) -> None:
        if not boundary:
            raise RequestRefused(400, BROKEN)
        self._settings = settings
        self._text: str | None = None
        self._pictures: list[Attachment] = []
        self._complete = False
        self._header = self._value = self._disposition = b""
        self._name = ""
        self._content = bytearray()
        self._limit = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._part_data,
                "on_part_end": self._part_end,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> None:
        self._parser.write(chunk)

    def finish(self) -> Upload:
        self._parser.finalize()
        if not self._complete:
            raise RequestRefused(400, BROKEN)
        # Forms carry line ends as CR LF.
        text = (self._text or "").replace("\r\n", "\n")
        return Upload(text, tuple(self._pictures))

    def _part_begin(self) -> None:
        self._disposition = b""
        self._content = bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._field = options.get(b"name", b"")
        self._name = options.get(b"filename", b"").decode("utf-8", "replace")[:_NAME_LENGTH]
        if self._field == b"text" and b"filename" not in options and self._text is None:
            self._limit = self._settings.text_bytes
        elif self._field == b"pictures" and b"filename" in options:
            self._limit = self._settings.picture_bytes
            if len(self._pictures) == self._settings.pictures:
                raise _too_much(self._settings)
        else:
            raise RequestRefused(400, TOO_MANY_FIELDS)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if len(self._content) + end - start > self._limit:
            is_text = self._field == b"text"
            raise RequestRefused(413, TOO_LONG) if is_text else _too_much(self._settings)
        self._content += data[start:end]

    def _part_end(self) -> None:
        if self._field == b"text":
            self._text = self._content.decode("utf-8", "replace")
        elif self._name or self._content:  # an empty file field sends a part without both
            self._pictures.append(Attachment(bytes(self._content), self._name))

    def _end(self) -> None:
        self._complete = True
