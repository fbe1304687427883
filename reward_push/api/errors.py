"""Errors as HTTP answers: the one place where a code becomes a status and an exception becomes JSON."""

from collections.abc import Mapping
from typing import Any

import attrs

from ..access.interfaces import AnswerLost, StoreUnavailable
from ..rewards.errors import ErrorCode, Refused
from ..strict_json import dumps

STATUS: Mapping[ErrorCode, int] = {
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.NOT_SUPPORTED: 400,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.CONFLICT: 409,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.TOO_LATE: 422,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.INTERNAL: 500,
    ErrorCode.UNAVAILABLE: 503,
}
"""The HTTP status of each code."""


@attrs.frozen
class ApiError(Refused):
    """A refusal that brings response headers, such as ``Allow``."""

    headers: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)


def as_refusal(error: Exception) -> Refused | None:
    """Return what to tell the client about ``error``; ``None`` for a fault of ours, to be logged."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, AnswerLost):
        message = "the store was lost before it answered: it may have been done; try again, with the same id"
        return Refused(ErrorCode.UNAVAILABLE, message)
    if isinstance(error, StoreUnavailable):
        message = "the store is not available; nothing was accepted, try again"
        return Refused(ErrorCode.UNAVAILABLE, message)
    return None


INTERNAL = Refused(ErrorCode.INTERNAL, "internal error")
"""What is told of a fault of ours."""


def error_json(refused: Refused) -> dict[str, Any]:
    """Return ``{"code", "message", "field"}``, without ``field`` where no field is to blame."""
    error: dict[str, Any] = {"code": str(refused.code), "message": refused.message}
    if refused.field is not None:
        error["field"] = refused.field
    return error


def error_body(code: ErrorCode, message: str) -> bytes:
    """Return the body of an error that is answered outside of the API's resource."""
    return dumps({"error": error_json(Refused(code, message))}).encode()


def too_large_body() -> bytes:
    """Return the body of the 413 a site answers before it has read a request that is too large."""
    return error_body(ErrorCode.TOO_LARGE, "the request body is too large")
