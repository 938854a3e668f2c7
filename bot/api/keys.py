"""Who may use the API: bearer keys, how many requests each may send, and this computer."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request

from bot.api.errors import ApiError
from bot.assistant.limits import Limits, LimitSettings, RateLimit
from bot.errors import SettingsError
from bot.settings import API_KEY, Settings
from bot.web.security import is_loopback
from bot.web.shares import client_of

PLATFORM = "api"


def read_keys(settings: Settings) -> tuple[str, ...]:
    """The keys of the settings and of their file, in which "#" begins a comment line.

    Raises:
        SettingsError: The file cannot be read, has no key, or a line that is none.
    """
    keys = [settings.api_key] if settings.api_key else []
    if settings.api_keys_file:
        path = Path(settings.api_keys_file).expanduser()
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"The file {path}, which GLIMPSE_API_KEYS_FILE names, cannot be read."
            ) from error
        numbered = [(number, line.strip()) for number, line in enumerate(lines, 1)]
        found = [(number, line) for number, line in numbered if line and line[0] != "#"]
        for number, line in found:
            if not re.fullmatch(API_KEY, line):
                raise SettingsError(
                    f"Line {number} of {path} has to be a key of at least 16 letters, digits or "
                    "signs, without spaces."
                )
        if not found:  # or whoever empties it would open the server to everybody
            raise SettingsError(f"There is no key in {path}, which GLIMPSE_API_KEYS_FILE names.")
        keys += [line for _number, line in found]
    return tuple(dict.fromkeys(keys))


class Gate:
    """Lets requests in by their key; without any key, those of this computer alone.

    Args:
        keys: All that are valid.
        per_minute: Requests that each of them, or each client without one, may send in a minute.
    """

    def __init__(self, keys: tuple[str, ...], per_minute: int) -> None:
        # Looked up by a hash, so that the time it takes tells nothing of a key.
        self._clients = {_hash(key): f"key {number}" for number, key in enumerate(keys, 1)}
        self._limits = Limits(LimitSettings(default=RateLimit(per_minute, None)))

    @property
    def has_keys(self) -> bool:
        """Whether a key is asked for."""
        return bool(self._clients)

    def client(self, request: Request) -> str:
        """Name who sends a request.

        Raises:
            ApiError: 401 without a valid key, 403 from another computer where there is no key.
        """
        if self._clients:
            return self._by_key(request.headers)
        host = request.client.host if request.client else ""
        if not is_loopback(host):
            raise ApiError(
                403, "This server has no API key yet, so it answers its own computer only."
            )
        return client_of((host, 0))

    def count(self, client: str) -> None:
        """Count a request.

        Raises:
            ApiError: 429 if there were too many in the last minute.
        """
        wait = self._limits.take(PLATFORM, client)
        if wait is not None:
            raise ApiError(
                429,
                "Too many requests in a minute; please wait.",
                "rate_limit_exceeded",
                retry_after=wait.seconds,
            )

    def _by_key(self, headers: Headers) -> str:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise ApiError(
                401, "No API key was sent; send it in the header Authorization: Bearer KEY."
            )
        client = self._clients.get(_hash(key.strip()))
        if client is None:
            raise ApiError(401, "This API key is not valid.", "invalid_api_key")
        return client


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
