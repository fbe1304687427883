"""What is published: one JSON object a piece of news, made by the store's scripts or by nodes.

The kinds of news are values here; :func:`decode` and :func:`encode` are their only way from and to the wire.
The scripts concatenate the same text, with a message's body spliced in as it is kept.

News of what has happened are numbered, along one line, in the order in which it happened.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ..rewards.interfaces import Reason, TakenBack
from ..rewards.message import Message, message_from_json, message_to_json
from .device_text import from_text, to_text


class NotNews(ValueError):
    """What came is no news. The text says what is wrong, not what the news said."""


@attrs.frozen
class LiveNews:
    """A message was accepted, or claimed."""

    no: int
    due: bool
    """It was scheduled, and may have been claimed up to a moment early; else it is to be shown at once."""
    message: Message
    superseded: tuple[TakenBack, ...] = ()
    """What it replaces: to be told when it is shown."""


@attrs.frozen
class EndedNews:
    """A message that somebody may have had was taken back."""

    no: int
    taken_back: TakenBack


@attrs.frozen
class KeyNews:
    """A key was revoked."""

    no: int
    key_id: str


@attrs.frozen
class Canary:
    """What a node sends itself. All news up to ``no`` have come when it is heard."""

    no: int


@attrs.frozen
class Ask:
    """A node asks the others."""

    ask_id: str
    node_id: str
    """Who asks."""
    what: str
    body: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Answer:
    """A node answers an :class:`Ask`."""

    ask_id: str
    node_id: str
    """Who answers."""
    body: Mapping[str, Any] = attrs.field(factory=dict)


News = LiveNews | EndedNews | KeyNews | Canary | Ask | Answer


def encode(news: News) -> str:
    """Return ``news`` as it is published."""
    match news:
        case LiveNews(no, due, message, superseded):
            taken_back = [{"kind": "ended", **_taken_back_to_json(each)} for each in superseded]
            return _text(
                kind="live",
                no=no,
                due=due,
                message=message_to_json(message),
                superseded=taken_back,
            )
        case EndedNews(no, taken_back):
            return _text(kind="ended", no=no, **_taken_back_to_json(taken_back))
        case KeyNews(no, key_id):
            return _text(kind="key", no=no, key_id=key_id)
        case Canary(no):
            return _text(kind="canary", no=no)
        case Ask(ask_id, node_id, what, body):
            return _text(kind="ask", ask_id=ask_id, node_id=node_id, what=what, body=dict(body))
        case Answer(ask_id, node_id, body):
            return _text(kind="answer", ask_id=ask_id, node_id=node_id, body=dict(body))


def decode(text: str | bytes) -> News:
    """Return the news that ``text`` tells. Raises :class:`NotNews`."""
    try:
        told = json.loads(text)
        kind = told["kind"]
        read = _READERS[kind]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotNews(f"no news: {type(error).__name__}") from None
    try:
        return read(told)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotNews(f"no news of kind {kind}: {type(error).__name__}") from None


def taken_back_from_json(told: Mapping[str, Any]) -> TakenBack:
    """Return what an ``ended`` object says. Raises ValueError, KeyError or TypeError."""
    devices, but = told["devices"], told["but"]
    return TakenBack(
        message_id=_string(told["id"]),
        namespace=_string(told["namespace"]),
        rooms=tuple(map(_string, _array(told["rooms"]))),
        reason=Reason(told["reason"]),
        devices=None if devices is None else tuple(sorted(map(from_text, _array(devices)))),
        but=None if but is None else from_text(but),
    )


def _taken_back_to_json(taken_back: TakenBack) -> dict[str, Any]:
    devices, but = taken_back.devices, taken_back.but
    return {
        "id": taken_back.message_id,
        "namespace": taken_back.namespace,
        "reason": str(taken_back.reason),
        "rooms": list(taken_back.rooms),
        "devices": None if devices is None else list(map(to_text, devices)),
        "but": None if but is None else to_text(but),
    }


def _live(told: Mapping[str, Any]) -> LiveNews:
    superseded = tuple(map(taken_back_from_json, _array(told["superseded"])))
    if not isinstance(told["due"], bool):
        raise TypeError
    return LiveNews(_number(told), told["due"], message_from_json(told["message"]), superseded)


_READERS: Mapping[str, Callable[[Mapping[str, Any]], News]] = {
    "live": _live,
    "ended": lambda told: EndedNews(_number(told), taken_back_from_json(told)),
    "key": lambda told: KeyNews(_number(told), _string(told["key_id"])),
    "canary": lambda told: Canary(_number(told)),
    "ask": lambda told: Ask(
        _string(told["ask_id"]), _string(told["node_id"]), _string(told["what"]), _body(told)
    ),
    "answer": lambda told: Answer(_string(told["ask_id"]), _string(told["node_id"]), _body(told)),
}


def _number(told: Mapping[str, Any]) -> int:
    no = told["no"]
    if type(no) is not int:
        raise TypeError
    return no


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _array(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _body(told: Mapping[str, Any]) -> Mapping[str, Any]:
    body = told["body"]
    if not isinstance(body, dict):
        raise TypeError
    return body


def _text(**told: object) -> str:
    return json.dumps(told, separators=(",", ":"))
