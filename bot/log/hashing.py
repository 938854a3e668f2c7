"""People's names in the log: keyed hashes, whose key lies outside of the database."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

BYTES = 16  # of a hash: nobody shares one by chance


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
        return hmac.new(self._key, framed, hashlib.sha256).digest()[:BYTES].hex()


def read_key(path: Path, given: str = "") -> bytes:
    """The key: the one that is given, else that of a file, which is made if it is missing.

    Raises:
        OSError: The file can neither be read nor made.
    """
    if given:
        return given.encode()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(number, "wb") as file:
        file.write(key := secrets.token_hex(32).encode())
    return key
