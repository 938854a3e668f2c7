"""What keeps the log from naming people: keyed hashes in place of ids, and encrypted pictures.

Both keys lie outside of the database.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import LogKeyError

if TYPE_CHECKING:
    from PIL.Image import Image

HASH_BYTES = 16  # nobody shares a hash by chance
SIDE = 512  # pixels: more than any vision tower here looks at
QUALITY = 85  # of JPEG


class Hasher:
    """Turns ids into hashes that nobody without the key can tell apart from others, or look up.

    Args:
        key: A secret; with another one, everybody is somebody else.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, kind: str, platform: str, name: str) -> str:
        """The hash of a person or chat, as hexadecimal digits (HMAC-SHA256, RFC 2104)."""
        parts = [part.encode("utf-8", "surrogatepass") for part in (kind, platform, name)]
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.new(self._key, framed, hashlib.sha256).digest()[:HASH_BYTES].hex()


def read_key(path: Path, given: str = "") -> bytes:
    """The key: the one that is given, else that of a file, which is made if it is missing.

    Raises:
        LogKeyError: The file holds no key.
        OSError: The file can neither be read nor made.
    """
    if given:
        return given.encode()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        _make_key(path)
    key = path.read_bytes().strip()
    if len(key) < HASH_BYTES:
        raise LogKeyError(f"The file {path} holds no key; put the old one back, or remove it.")
    return key


def _make_key(path: Path) -> None:
    """Write a new key, which is there as a whole or not at all."""
    number, name = tempfile.mkstemp(dir=path.parent)  # readable for its owner alone
    try:
        with os.fdopen(number, "wb") as file:
            file.write(secrets.token_hex(32).encode())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was faster
            Path(path).hardlink_to(name)
    finally:
        Path(name).unlink()


class PictureCipher:
    """Encrypts pictures with a key that lies outside of the database.

    Fernet: AES-128 in CBC mode with an HMAC-SHA256, so that what was changed is not read
    (https://github.com/fernet/spec).

    Args:
        key: As `new_key` makes them.

    Raises:
        LogKeyError: It is no such key.
    """

    def __init__(self, key: str) -> None:
        from cryptography.fernet import Fernet

        try:
            self._fernet = Fernet(key)
        except ValueError as error:
            raise LogKeyError(
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
            LogKeyError: It was sealed with another key, or is damaged.
        """
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(content)
        except InvalidToken as error:
            raise LogKeyError("A kept picture does not open with this key.") from error


def new_key() -> str:
    """A new secret."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()
