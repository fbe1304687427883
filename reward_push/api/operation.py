"""What the description of the API (OpenAPI) says of one call; it stands beside the call's handler."""

from collections.abc import Mapping
from typing import Any

import attrs

from ..access.interfaces import Right
from ..rewards.errors import ErrorCode
from .limits import DEFAULT_LIMIT, MAX_LIMIT

Schema = Mapping[str, Any]
"""A JSON Schema (2020-12)."""


def ref(name: str) -> Schema:
    """Return a reference to one of :func:`.schemas.schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


@attrs.frozen
class Parameter:
    """A parameter in the query."""

    name: str
    schema: Schema
    description: str


PAGE_PARAMETERS = (
    Parameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        "Items in the page, at most.",
    ),
    Parameter(
        "cursor", {"type": "string", "minLength": 1}, "The `next_cursor` of the page before."
    ),
)
"""The parameters of every list."""


@attrs.frozen
class Said:
    """An answer that is no error."""

    description: str
    schema: Schema
    media_type: str = "application/json"


@attrs.frozen
class Operation:
    """One call."""

    name: str
    """Unique: generated clients name their methods by it."""
    summary: str
    answers: Mapping[int, Said]
    """By status. Errors are not among them."""
    refusals: tuple[ErrorCode, ...] = ()
    """The errors that are this call's own; those that every such call may get are added."""
    needs_key: bool = True
    right: Right | None = None
    """What the key must be allowed to; ``None``: any backend key does."""
    parameters: tuple[Parameter, ...] = ()
    body: Schema | None = None
    """What the request carries; ``None``: nothing."""
    takes_query: bool = True
    """Whether its query is looked at: then a parameter that is not named here is refused."""
    description: str = ""
    tag: str = "messages"

    def all_refusals(self) -> tuple[ErrorCode, ...]:
        """Return every error it may be answered with."""
        found = list(self.refusals)
        if self.body is not None:
            found += [ErrorCode.INVALID_REQUEST, ErrorCode.TOO_LARGE]
        if self.takes_query:
            found.append(ErrorCode.INVALID_REQUEST)
        if self.needs_key:
            # The key is looked up in the store, which may be away.
            found += [ErrorCode.UNAUTHORIZED, ErrorCode.RATE_LIMITED, ErrorCode.UNAVAILABLE]
            found += [ErrorCode.FORBIDDEN]
        return tuple(each for each in ErrorCode if each in {*found, ErrorCode.INTERNAL})
