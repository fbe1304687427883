"""Messages as every store keeps them: a body of text, and what tells which of them replace each other."""

import hashlib
import json

from ..rewards.message import Message, message_from_json, message_to_json


def body_of(message: Message) -> str:
    """Return the text that a message is kept as."""
    return compact(message_to_json(message))


def message_of(body: str) -> Message:
    """Return the message that ``body`` was made of."""
    return message_from_json(json.loads(body))


def slot(message: Message) -> bytes | None:
    """Return what is equal for messages that replace each other; ``None`` for one that replaces none."""
    if message.replace is None:
        return None
    text = compact([message.namespace, message.to.to_json(), message.replace])
    return hashlib.sha256(text.encode()).digest()[:16]


def compact(value: object) -> str:
    """Return ``value`` as JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
