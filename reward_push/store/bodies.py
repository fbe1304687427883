"""Messages as every store keeps them: a body of text, and what tells which of them replace each other."""

import hashlib
import json
from weakref import WeakValueDictionary

from ..rewards.message import Message, message_from_json, message_to_json


def body_of(message: Message) -> str:
    """Return the text that a message is kept as."""
    return compact(message_to_json(message))


def message_of(body: str) -> Message:
    """Return the message that ``body`` was made of."""
    return message_from_json(json.loads(body))


_HELD: WeakValueDictionary[str, Message] = WeakValueDictionary()
"""The messages that :func:`shared_message_of` returned and somebody still has, by their bodies."""


def shared_message_of(body: str) -> Message:
    """Return the message that ``body`` was made of: the same object as long as somebody has it.

    For what many ask for at a time, in calls of their own: what all of them miss takes its room once.
    """
    message = _HELD.get(body)
    if message is None:
        message = _HELD[body] = message_of(body)
    return message


def slot(message: Message) -> bytes | None:
    """Return what is equal for messages that replace each other; ``None`` for one that replaces none."""
    if message.replace is None:
        return None
    text = compact([message.namespace, message.to.to_json(), message.replace])
    return hashlib.sha256(text.encode()).digest()[:16]


def compact(value: object) -> str:
    """Return ``value`` as JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
