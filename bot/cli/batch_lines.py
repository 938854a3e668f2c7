"""Lines of a batch: untrusted JSON in, JSON out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

LONGEST_LINE = 1_000_000  # bytes
_EXAMPLE = '{"id": 1, "image": "photo.jpg", "question": null}'


@dataclass(frozen=True)
class Request:
    """What one line asks for; a caption if `question` is None."""

    id: Any
    image: str
    question: str | None


class BadLineError(ValueError):
    """A line that cannot be answered; `str(error)` is one plain sentence.

    Attributes:
        id: The line's own id, None if it has none.
    """

    def __init__(self, sentence: str, id: Any = None) -> None:
        super().__init__(sentence)
        self.id = id


def read_lines(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Lines with their sizes in bytes; of a line that is too long only the beginning is kept."""
    while line := stream.readline(LONGEST_LINE + 1):
        size = len(line)
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = stream.readline(LONGEST_LINE + 1)
            size += len(rest)
        yield line, size


def parse(line: bytes) -> Request:
    """Read a request off a line.

    Raises:
        BadLineError: It is not one.
    """
    if len(line) > LONGEST_LINE:
        raise BadLineError(f"This line is longer than {LONGEST_LINE:,} bytes.")
    if not line.strip():
        raise BadLineError("This line is empty.")
    try:
        row = json.loads(line.decode("utf-8-sig"))
        found = row.get("id") if isinstance(row, dict) else None
        json.dumps(found, allow_nan=False)  # so that it can be written back
    except (ValueError, RecursionError):
        raise BadLineError("This line is not valid JSON.") from None
    if not isinstance(row, dict):
        raise BadLineError(f"This line is not a JSON object such as {_EXAMPLE}.")
    image, question = row.get("image"), row.get("question")
    if not isinstance(image, str) or not image:
        raise BadLineError('"image" has to be the path of a picture file.', found)
    if not isinstance(question, str | None):
        raise BadLineError('"question" has to be a text, or null for a caption.', found)
    return Request(found, image, question)


def encode(row: dict[str, Any]) -> bytes:
    """One line of output."""
    return json.dumps(row).encode("ascii") + b"\n"
