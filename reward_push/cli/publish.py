"""``reward-push publish``: post one message."""

import argparse
import secrets
from collections.abc import Mapping
from typing import Any

from ..strict_json import JSONError, loads
from .client import Refusal
from .connection import add_options, connect
from .errors import CommandError
from .files import read_file
from .output import show_fields, show_json

_MAX_DATA_BYTES = 1 << 20
_UNAVAILABLE = "unavailable"


def add_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``publish``."""
    publish = commands.add_parser(
        "publish", parents=[common], allow_abbrev=False, help="post a message"
    )
    publish.add_argument("namespace", help="such as /dropcodes")
    publish.add_argument("event", help="such as dropcode")
    to = publish.add_mutually_exclusive_group(required=True)
    to.add_argument(
        "--streamer", action="append", dest="streamers", help="to this one; may be repeated"
    )
    to.add_argument("--group", help="to this group")
    to.add_argument("--all", action="store_true", help="to everybody")
    data = publish.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", metavar="JSON", help="""such as '{"code": "K7Q-PLX"}'""")
    data.add_argument(
        "--data-file", metavar="FILE", help="file with the JSON, - for standard input"
    )
    publish.add_argument("--id", help="the same id again is the same message (default: made up)")
    due = publish.add_mutually_exclusive_group()
    due.add_argument("--deliver-at", metavar="TIME", help="such as 2026-11-24T20:00:00.250Z")
    due.add_argument("--delay-ms", type=int, metavar="MS", help="due so much later")
    publish.add_argument(
        "--ttl-ms", type=int, metavar="MS", help="how long it lives once it is due"
    )
    publish.add_argument("--replace", metavar="NAME", help="take back what has this name when due")
    publish.add_argument("--once", action="store_true", help="for the first who acknowledges it")
    add_options(publish)
    publish.set_defaults(run=_publish)


def _publish(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    # An id of our own: a post whose answer is lost can be repeated without being delivered twice.
    message_id = options.id or secrets.token_hex(16)
    body = {
        "id": message_id,
        "namespace": options.namespace,
        "event": options.event,
        "to": _audience(options),
        "data": _data(options),
    }
    for name in ("deliver_at", "delay_ms", "ttl_ms", "replace"):
        if (value := getattr(options, name)) is not None:
            body[name] = value
    if options.once:
        body["once"] = True
    client = connect(options, environ)
    try:
        message = client.call("POST", "/v1/messages", body, fields=("id", "receipts"))
    except Refusal as refusal:
        if refusal.code != _UNAVAILABLE:
            raise
        # It may have been accepted for all that: the answer says so.
        raise CommandError(f"{refusal}; repeat it with --id {message_id}") from None
    except CommandError as error:
        raise CommandError(
            f"{error}; if it was sent it may be accepted: repeat it with --id {message_id}"
        ) from None
    if options.json:
        show_json(message)
        return
    shown = ("id", "state", "deliver_at", "expires_at")
    fields = {name: message[name] for name in shown if message.get(name) is not None}
    show_fields({**fields, "sent": message["receipts"].get("sent")})


def _audience(options: argparse.Namespace) -> Any:
    if options.all:
        return "all"
    if options.group is not None:
        return {"group": options.group}
    names = options.streamers
    return {"streamer": names[0]} if len(names) == 1 else {"streamers": names}


def _data(options: argparse.Namespace) -> Any:
    text: str | bytes = options.data
    if options.data_file is not None:
        text = _read(options.data_file)
    try:
        return loads(text)
    except JSONError as error:
        raise CommandError(f"the data is not valid JSON: {error}") from None


def _read(file: str) -> bytes:
    content = read_file(file, _MAX_DATA_BYTES, "data")
    if len(content) > _MAX_DATA_BYTES:
        raise CommandError(f"the data has more than {_MAX_DATA_BYTES} bytes")
    return content
