"""People's names in the log: keyed hashes, whose key lies outside of the database."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

BYTES = 16  # of a hash: nobody shares one by chance


class KeyUnusableError(RuntimeError):
    """`str(error)` is one plain sentence."""


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
        KeyUnusableError: The file holds no key.
        OSError: The file can neither be read nor made.
    """
    if given:
        return given.encode()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        _make(path)
    key = path.read_bytes().strip()
    if len(key) < BYTES:
        raise KeyUnusableError(f"The file {path} holds no key; put the old one back, or remove it.")
    return key


def _make(path: Path) -> None:
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
