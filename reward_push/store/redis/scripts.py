"""The Lua scripts: each an atomic step, made of the parts it needs.

They are read once, at import. Every script begins with ``prelude.lua``.
"""

from importlib.resources import files

from ...cluster.interfaces import Script

_FOLDER = files(__package__) / "lua"

_MESSAGES = ("messages",)
_ENDS = ("messages", "ending")
_BEGINS = ("messages", "ending", "becoming")
_RECEIPTS = ("messages", "devices")
_KEYS = ("keys",)


def _script(name: str, *parts: str) -> Script:
    sources = [(_FOLDER / f"{part}.lua").read_text("utf-8") for part in ("prelude", *parts, name)]
    return Script(name, "\n".join(sources))


ACCEPT = _script("accept", *_BEGINS)
ADD_KEYS = _script("add_keys", *_KEYS)
AGENDA = _script("agenda")
CANARY = _script("canary")
CANCEL = _script("cancel", *_ENDS)
CLAIM = _script("claim", *_BEGINS)
EXPIRE = _script("expire", *_ENDS)
GET = _script("get", *_RECEIPTS)
HISTORY = _script("history", *_ENDS)
MEET = _script("meet")
MISSED = _script("missed")
NOTE = _script("note", *_MESSAGES)
NOTE_USED = _script("note_used")
OPEN_DEVICE = _script("open_device")
OWED = _script("owed")
PAGE = _script("page", *_MESSAGES)
PAGE_KEYS = _script("page_keys")
PRUNE = _script("prune", *_MESSAGES)
RECEIPTS = _script("receipts", "devices")
REMOVE_KEY = _script("remove_key", *_KEYS)
RESTORE_KEYS = _script("restore_keys", *_KEYS)
SETTLE = _script("settle")
TAKE = _script("take", *_ENDS)
TOLD = _script("told")
TRIM = _script("trim")

ALL = tuple(value for value in list(globals().values()) if isinstance(value, Script))
"""All of them."""
