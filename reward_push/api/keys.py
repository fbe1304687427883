"""``POST`` and ``GET /v1/keys``, ``DELETE /v1/keys/{key_id}``."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from twisted.web.server import Request

from ..access import key_cursor
from ..access.interfaces import ANY_STREAMER, MAX_GROUPS, Key, KeyKind, KeyUse, Right
from ..access.key_text import KEY_ID
from ..rewards.errors import ErrorCode, Refused, invalid
from ..rewards.instants import instant, to_rfc3339
from ..rewards.structure import Field, identifier, integer, many, one_of, shown, structure, text
from .answers import Answer, json_answer
from .auth import Callers, Keys, authorize
from .body import read_no_fields, read_object
from .limits import DEFAULT_LIMIT, MAX_CONNECTIONS, MAX_LIMIT, MAX_NAME_CHARS
from .operation import PAGE_PARAMETERS, Operation, Said, ref
from .pages import read_page
from .query import read_query, whole_number

_PLUGIN_ONLY = ("streamer", "groups", "max_connections")
_BACKEND_ONLY = ("rights",)


CREATE_KEY = Operation(
    "createKey",
    "Make a key",
    {201: Said("The key, and this once what its holder presents.", ref("CreatedKey"))},
    right=Right.ADMIN,
    body=ref("NewKey"),
    tag="keys",
)

LIST_KEYS = Operation(
    "listKeys",
    "List keys, newest first",
    {200: Said("A page; `last_used_at` is right to within minutes.", ref("Keys"))},
    right=Right.ADMIN,
    parameters=PAGE_PARAMETERS,
    tag="keys",
)

REVOKE_KEY = Operation(
    "revokeKey",
    "Revoke a key and close its connections",
    {200: Said("The key as it was. A second time it is not found.", ref("Key"))},
    (ErrorCode.NOT_FOUND,),
    right=Right.ADMIN,
    tag="keys",
)


class KeyCreation:
    """The handler that creates keys."""

    def __init__(
        self,
        keys: Keys,
        callers: Callers,
        namespaces: Collection[str],
        now_ms: Callable[[], int],
    ) -> None:
        """``namespaces`` are all the node serves; ``now_ms`` is the clock keys expire by."""
        self._keys = keys
        self._callers = callers
        self._now_ms = now_ms
        self._fields = {
            "kind": Field(one_of(tuple(map(str, KeyKind))), required=True),
            "name": Field(_label),
            "streamer": Field(_streamer),
            "groups": Field(many(identifier, 0, MAX_GROUPS)),
            "max_connections": Field(integer(1, MAX_CONNECTIONS)),
            "rights": Field(many(one_of(tuple(map(str, Right))), 1, len(Right))),
            "namespaces": Field(many(one_of(tuple(namespaces)), 1, len(namespaces))),
            "expires_at": Field(self._future),
        }

    async def create(self, request: Request) -> Answer:
        """Create a plugin's or a backend's key; the answer shows its secret, this once."""
        creator = await authorize(request, self._callers, Right.ADMIN)
        read_query(request, {})
        fields = structure(read_object(request), self._fields)
        kind = KeyKind(fields["kind"])
        _check_kind(kind, fields)
        namespaces = fields.get("namespaces")
        _check_width(creator, namespaces)
        key, secret = await self._keys.create(
            kind=kind,
            name=fields.get("name"),
            streamer=fields.get("streamer"),
            groups=fields.get("groups", ()),
            namespaces=namespaces,
            rights=frozenset(map(Right, fields.get("rights", ()))),
            expires_at_ms=fields.get("expires_at"),
            max_connections=fields.get("max_connections"),
        )
        return json_answer(201, {**key_to_answer(key), "key": secret})

    def _future(self, value: object, path: str) -> int:
        moment = instant(value, path)
        if moment <= self._now_ms():
            msg = f"{path} must be in the future"
            raise invalid(msg, path)
        return moment


class KeyList:
    """The handlers that list keys and revoke them.

    A key limited to namespaces sees, and revokes, only those that are limited to some of its own.
    """

    def __init__(self, keys: Keys, callers: Callers) -> None:
        self._keys = keys
        self._callers = callers

    async def page(self, request: Request) -> Answer:
        """List keys, newest first, without their secrets."""
        reader = await authorize(request, self._callers, Right.ADMIN)
        asked = read_query(request, _PARAMETERS)
        limit = asked.get("limit", DEFAULT_LIMIT)

        async def read(cursor: str | None) -> tuple[Sequence[KeyUse], str | None]:
            page = await self._keys.page(limit, cursor)
            return page.keys, page.cursor

        keys, cursor = await read_page(read, asked.get("cursor"), _visible_to(reader))
        items = [use_to_answer(each) for each in keys]
        return json_answer(200, {"items": items, "next_cursor": cursor})

    async def revoke(self, request: Request, key_id: str) -> Answer:
        """Revoke a key: 200 with what it was, once; 404 when there is no such key, or no longer."""
        revoker = await authorize(request, self._callers, Right.ADMIN)
        read_query(request, {})
        read_no_fields(request)
        if not KEY_ID.fullmatch(key_id):
            raise _no_key()
        if revoker.namespaces is not None:
            found = await self._keys.find(key_id)
            if found is not None and not _within(found, revoker):
                raise _no_key()
        revoked = await self._keys.revoke(key_id)
        if revoked is None:
            raise _no_key()
        return json_answer(200, key_to_answer(revoked))


def _visible_to(reader: Key) -> Callable[[KeyUse], bool] | None:
    return None if reader.namespaces is None else lambda use: _within(use.key, reader)


def use_to_answer(use: KeyUse) -> dict[str, Any]:
    """Return a key in a list: with the time of its last use, which may be ``None``."""
    used_at = None if use.last_used_at_ms is None else to_rfc3339(use.last_used_at_ms)
    return {**key_to_answer(use.key), "last_used_at": used_at}


def key_to_answer(key: Key) -> dict[str, Any]:
    """Return a key as the API shows it. What it was not given is left out."""
    answer: dict[str, Any] = {"key_id": key.key_id, "kind": str(key.kind)}
    if key.kind is KeyKind.PLUGIN:
        answer["streamer"] = key.streamer
        answer["groups"] = list(key.groups)
        if key.max_connections is not None:
            answer["max_connections"] = key.max_connections
    else:
        answer["rights"] = [str(right) for right in Right if right in key.rights]
    if key.namespaces is not None:
        answer["namespaces"] = list(key.namespaces)
    if key.name is not None:
        answer["name"] = key.name
    answer["created_at"] = to_rfc3339(key.created_at_ms)
    if key.expires_at_ms is not None:
        answer["expires_at"] = to_rfc3339(key.expires_at_ms)
    return answer


def _cursor(value: object, path: str) -> str:
    text = str(value)
    try:
        key_cursor.place(text)
    except ValueError:
        msg = f"{path} must be the next_cursor of an earlier answer"
        raise invalid(msg, path) from None
    return text


_PARAMETERS = {"limit": whole_number(1, MAX_LIMIT), "cursor": _cursor}


def _within(key: Key, other: Key) -> bool:
    """Return whether ``key`` reaches no namespace that ``other`` does not."""
    if other.namespaces is None:
        return True
    return key.namespaces is not None and set(key.namespaces) <= set(other.namespaces)


def _no_key() -> Refused:
    return Refused(ErrorCode.NOT_FOUND, "there is no such key")


_any_label = text(1, MAX_NAME_CHARS)


def _label(value: object, path: str) -> str:
    """Check a name for people, shown on terminals and in logs."""
    label = _any_label(value, path)
    if any(each < " " or "\x7f" <= each <= "\x9f" for each in label):
        msg = f"{path} must not contain control characters"
        raise invalid(msg, path)
    return label


def _streamer(value: object, path: str) -> str:
    return ANY_STREAMER if value == ANY_STREAMER else identifier(value, path)


def _check_kind(kind: KeyKind, fields: dict[str, Any]) -> None:
    """Refuse what belongs to the other kind, and miss what belongs to this one."""
    foreign, needed = (
        (_BACKEND_ONLY, "streamer") if kind is KeyKind.PLUGIN else (_PLUGIN_ONLY, "rights")
    )
    for field in foreign:
        if field in fields:
            msg = f"a {kind} key has no {field}"
            raise invalid(msg, field)
    if needed not in fields:
        msg = f"{needed} is missing: a {kind} key needs it"
        raise invalid(msg, needed)


def _check_width(creator: Key, namespaces: tuple[str, ...] | None) -> None:
    """Let a key that is limited to namespaces create only keys that are limited to some of them."""
    if creator.namespaces is None:
        return
    if namespaces is None:
        msg = "this key is limited to namespaces: name some of them for the new key"
        raise Refused(ErrorCode.FORBIDDEN, msg, "namespaces")
    for namespace in namespaces:
        if namespace not in creator.namespaces:
            msg = f"this key may not create a key for namespace {shown(namespace)}"
            raise Refused(ErrorCode.FORBIDDEN, msg, "namespaces")
