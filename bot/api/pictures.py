"""The bytes of the pictures in a request: from a data URL, or fetched from the web if allowed."""

from __future__ import annotations

import binascii
import re
from collections.abc import Awaitable, Callable

from bot.api.errors import ApiError
from data.images.open import ImageLimits

MOST_PICTURES = 10  # in one message, as on the chat page
_DATA = re.compile(r"data:([\w.+/-]*(?:;[\w.+/=-]+)*?);base64,", re.ASCII | re.IGNORECASE)
_HEAD = 200  # characters within which a data URL says what it is
_WEB = re.compile(r"https?://", re.IGNORECASE)

Fetch = Callable[[str, str], Awaitable[bytes]]


async def load_pictures(addresses: list[str], param: str, fetch: Fetch | None) -> list[bytes]:
    """The files that addresses stand for, none of them looked into yet.

    Args:
        addresses: Data URLs, or addresses in the web.
        param: The field of the request that they are in.
        fetch: Gets what an address in the web leads to, for that field; None refuses them.

    Raises:
        ApiError: 400 for what is no address, 413 for too much.
    """
    if len(addresses) > MOST_PICTURES:
        raise ApiError(
            400, f"A message may have {MOST_PICTURES} pictures at most.", "too_many_pictures",
            param=param,
        )  # fmt: skip
    return [await _load(address, param, fetch) for address in addresses]


async def _load(address: str, param: str, fetch: Fetch | None) -> bytes:
    if found := _DATA.match(address, 0, _HEAD):
        return _decoded(address, found.end(), param)
    if not _WEB.match(address):
        raise invalid_url("A picture has to be a data URL: data:image/jpeg;base64,…", param)
    if fetch is None:
        raise invalid_url(
            "This server does not fetch pictures; send the picture itself as a data URL.", param
        )
    return await fetch(address, param)


def _decoded(address: str, start: int, param: str) -> bytes:
    if (len(address) - start) * 3 // 4 > ImageLimits.bytes + 3:
        raise too_large(param)
    coded = "".join(address[start:].split()).rstrip("=")
    try:
        content = binascii.a2b_base64(coded + "=" * (-len(coded) % 4), strict_mode=True)
    except ValueError:
        raise invalid_url("The base64 of a picture's data URL is broken.", param) from None
    if not content:
        raise invalid_url("A picture's data URL is empty.", param)
    return content


def invalid_url(message: str, param: str) -> ApiError:
    """An address by which no picture can be had."""
    return ApiError(400, message, "invalid_image_url", param=param)


def too_large(param: str) -> ApiError:
    """A picture of too many bytes."""
    megabytes = ImageLimits.bytes / 1_000_000
    return ApiError(
        413, f"A picture may have {megabytes:g} MB at most.", "image_too_large", param=param
    )
