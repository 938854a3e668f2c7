"""Pictures of people who allow it: shrunk, and encrypted before they reach the disk."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from bot.log.privacy import KeyUnusableError

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 512  # pixels: more than any vision tower here looks at
QUALITY = 85  # of JPEG


class PictureCipher:
    """Encrypts pictures with a key that lies outside of the database.

    Fernet: AES-128 in CBC mode with an HMAC-SHA256, so that what was changed is not read
    (https://github.com/fernet/spec).

    Args:
        key: As `new_key` makes them.

    Raises:
        KeyUnusableError: It is no such key.
    """

    def __init__(self, key: str) -> None:
        from cryptography.fernet import Fernet

        try:
            self._fernet = Fernet(key)
        except ValueError as error:
            raise KeyUnusableError(
                "GLIMPSE_PICTURE_KEY has to be a key that `glimpse log key` printed."
            ) from error

    def seal(self, image: Image) -> bytes:
        """A picture as it is kept: a JPEG of at most 512 pixels a side, encrypted."""
        small = image.convert("RGB")
        small.thumbnail((SIDE, SIDE))
        held = io.BytesIO()
        small.save(held, "JPEG", quality=QUALITY)
        return self._fernet.encrypt(held.getvalue())

    def unseal(self, content: bytes) -> bytes:
        """The JPEG that was sealed.

        Raises:
            KeyUnusableError: It was sealed with another key, or is damaged.
        """
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(content)
        except InvalidToken as error:
            raise KeyUnusableError("A kept picture does not open with this key.") from error


def new_key() -> str:
    """A new secret."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()
