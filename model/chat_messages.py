"""What a chat model is asked, as messages of OpenAI's protocol: picture, turns and question."""

from __future__ import annotations

import base64
import io
import weakref
from typing import Any

from PIL import Image

from model.requests import ChatContext
from model.server_config import ServerConfig

OTHER_TEMPERATURE = 0.8  # least one of other answers than the first
_IN_LANGUAGE = {"de": " Answer in German."}


def messages(
    server: ServerConfig, image: Image.Image, question: str | None, context: ChatContext
) -> list[dict[str, Any]]:
    """The messages of one request.

    Args:
        server: How its model is asked.
        image: RGB pixels; they go with the first question.
        question: In the language that the model is asked in; None asks for a caption.
        context: The turns before, and the language of the answer.
    """
    caption = server.caption
    turns = context.turns[-server.turns :] if server.turns else ()
    told: list[dict[str, Any]] = []
    if server.system:
        told.append({"role": "system", "content": server.system})
    for turn in turns:
        told.append({"role": "user", "content": turn.question or caption})
        told.append({"role": "assistant", "content": turn.answer})
    if question is None:
        question = caption_in(context.language, caption)
    told.append({"role": "user", "content": question})
    first = next(each for each in told if each["role"] == "user")
    picture = {"url": _ENCODED.url(image, server.longest_side, server.quality)}
    first["content"] = [
        {"type": "image_url", "image_url": picture},
        {"type": "text", "text": first["content"]},
    ]
    return told


def temperature_of(usual: float, rank: int) -> float:
    """At which an answer is drawn; others than the first (rank 0) have to differ from it."""
    return max(usual, OTHER_TEMPERATURE if rank else 0.0)


def caption_in(language: str, caption: str) -> str:
    """What asks for a caption in a language."""
    return caption + _IN_LANGUAGE.get(language, "")


class _EncodedPictures:
    """Pictures as data URLs, each made once for as long as its pixels are held."""

    def __init__(self) -> None:
        self._urls: dict[tuple[int, int, int], tuple[weakref.ref[Image.Image], str]] = {}

    def url(self, image: Image.Image, longest_side: int, quality: int) -> str:
        key = (id(image), longest_side, quality)
        held, url = self._urls.get(key, (None, ""))
        if held is None or held() is not image:
            url = _data_url(image, longest_side, quality)
            self._urls[key] = (weakref.ref(image, lambda _: self._urls.pop(key, None)), url)
        return url


_ENCODED = _EncodedPictures()


def _data_url(image: Image.Image, longest_side: int, quality: int) -> str:
    picture = image.convert("RGB")
    picture.thumbnail((longest_side, longest_side))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
