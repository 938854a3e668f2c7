"""What a chat model is asked, as messages of OpenAI's protocol: picture, turns and question."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

from model.requests import ChatContext
from model.server_config import ServerConfig

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
    picture = {"url": _data_url(image, server.longest_side, server.quality)}
    first["content"] = [
        {"type": "image_url", "image_url": picture},
        {"type": "text", "text": first["content"]},
    ]
    return told


def caption_in(language: str, caption: str) -> str:
    """What asks for a caption in a language."""
    return caption + _IN_LANGUAGE.get(language, "")


def _data_url(image: Image.Image, longest_side: int, quality: int) -> str:
    picture = image.convert("RGB")
    picture.thumbnail((longest_side, longest_side))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
