"""Which large bodies are wanted, before they come."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.web.http_headers import Headers

from reward_push.access.interfaces import KeyKind, Right, StoreUnavailable
from reward_push.access.key_text import new_key
from reward_push.access.keys import KeyRing
from reward_push.api.auth import Callers
from reward_push.node.bodies import ApiBodies
from reward_push.settings import load

STORED, TEXT = new_key(KeyKind.BACKEND, 0, rights=[Right.PUBLISH])
PLUGIN, PLUGIN_TEXT = new_key(KeyKind.PLUGIN, 0, streamer="s")


class Store:
    """Knows two keys, if it can be asked."""

    trouble: Exception | None = None

    def get_key(self, key_id: str) -> "Deferred[Any]":
        known = {each.key.key_id: each for each in (STORED, PLUGIN)}
        return succeed(known.get(key_id)) if self.trouble is None else fail(self.trouble)


class Request:
    """The head of a request."""

    def __init__(self, authorization: str | None) -> None:
        given = {} if authorization is None else {"authorization": [authorization]}
        self.requestHeaders = Headers(given)


def verdict(authorization: str | None, trouble: Exception | None = None) -> int | None:
    """The status that a body is refused with; ``None``: it is wanted."""
    store: Any = Store()
    store.trouble = trouble
    bodies = ApiBodies(load({}, {}).http, Callers(KeyRing(store, lambda: 1), None))
    request: Any = Request(authorization)
    found: list[Any] = []
    bodies.vet(request).addBoth(found.append)
    return None if found == [None] else int(found[0].status)


def test_a_backend_s_is() -> None:
    assert verdict(f"ApiKey {TEXT}") is None


@pytest.mark.parametrize(
    ("authorization", "status"),
    [(None, 401), ("ApiKey rpk_wrong", 401), (f"ApiKey {PLUGIN_TEXT}", 403)],
)
def test_nobody_else_s_is(authorization: str | None, status: int) -> None:
    assert verdict(authorization) == status


def test_while_the_store_is_away_nobody_can_tell() -> None:
    assert verdict(f"ApiKey {TEXT}", StoreUnavailable("away")) == 503


def test_a_fault_of_ours_is_logged(logged_failures: list[str]) -> None:
    """The client is told no more than that."""
    assert verdict(f"ApiKey {TEXT}", RuntimeError("broken")) == 500
    assert logged_failures == ["broken"]
