"""Errors in the shape of OpenAI's API, which its clients turn into exceptions."""

from __future__ import annotations

import math
from typing import Any

from starlette.responses import JSONResponse

_INVALID, _SERVER = "invalid_request_error", "server_error"
_TYPES = {429: "rate_limit_error"}


class ApiError(Exception):
    """A request that is answered by an error.

    Args:
        status: HTTP status code.
        message: What went wrong and what to do.
        code: A short machine name, or None.
        param: The field of the request that it is about, if it is about one.
        retry_after: Seconds after which the same request may be answered; None if it never is.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        *,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.retry_after = retry_after

    @property
    def kind(self) -> str:
        """What OpenAI calls the type of the error."""
        return _TYPES.get(self.status, _INVALID if self.status < 500 else _SERVER)

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        error = {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code
        }  # fmt: skip
        return {"error": error}

    def response(self) -> JSONResponse:
        """What the client gets."""
        headers = {"cache-control": "no-store"}
        if self.retry_after is not None:
            headers["retry-after"] = str(max(1, math.ceil(self.retry_after)))
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        return JSONResponse(self.body, status_code=self.status, headers=headers)


def unsupported(message: str, param: str) -> ApiError:
    """A value that the protocol knows and this server does not."""
    return ApiError(400, message, "unsupported_value", param=param)
