"""What can go wrong in `data`; the text of each error is one plain sentence for a person.

Nothing heavy is imported here, so that whoever only handles errors loads no image library.
"""

from __future__ import annotations


class DataError(ValueError):
    """Data that cannot be used: the base of all errors of this package."""


class ImageRefused(DataError):  # noqa: N818 (an answer to whoever sent it, not a fault)
    """A picture that cannot be used.

    Attributes:
        reason: A short machine name: "empty", "too-large", "not-a-picture", "unsupported",
            "damaged", "truncated", "crashed", "too-slow", "too-hungry", "too-many-pixels",
            "too-narrow" or "unavailable"; of a file also "missing", "directory", "special-file"
            or "unreadable".
        nameless: The sentence without a path, for whoever did not name the file.
    """

    def __init__(self, reason: str, sentence: str, nameless: str = "") -> None:
        super().__init__(sentence)
        self.reason, self.nameless = reason, nameless or sentence
