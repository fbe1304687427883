"""What is answered when something cannot be done: one code, one sentence, and the field to blame."""

from enum import StrEnum

import attrs


class ErrorCode(StrEnum):
    """The codes of the public interface; :mod:`reward_push.api.errors` gives each its HTTP status."""

    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    INVALID_REQUEST = "invalid_request"
    TOO_LATE = "too_late"
    RATE_LIMITED = "rate_limited"
    NOT_SUPPORTED = "not_supported"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


@attrs.frozen
class Refused(Exception):
    """Something asked for is not done. Raised while a request is read, kept as an outcome in a batch."""

    code: ErrorCode
    message: str
    """One sentence for the person who sent the request."""
    field: str | None = None
    """The path of the field to blame: ``to.streamers[3]``."""

    def __str__(self) -> str:
        return self.message


def invalid(message: str, field: str | None = None) -> Refused:
    """Return the refusal of a malformed request."""
    return Refused(ErrorCode.INVALID_REQUEST, message, field or None)


def not_supported(message: str, field: str | None = None) -> Refused:
    """Return the refusal of what the interface describes but this version does not do."""
    return Refused(ErrorCode.NOT_SUPPORTED, message, field)
