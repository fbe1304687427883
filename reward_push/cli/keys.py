"""``reward-push keys``: create, list, revoke."""

import argparse
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .connection import add_options, connect
from .errors import CommandError
from .output import listed, show_fields, show_json, show_table

_PAGE = 200
_DURATION = re.compile(r"([1-9][0-9]{0,6})([smhd])", re.ASCII)
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_WHOLE_KEY = re.compile(r"rpk_([a-z2-7]{12})_.*", re.ASCII | re.DOTALL)


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``keys`` and what follows it."""
    keys = commands.add_parser("keys", help="create, list and revoke API keys")
    actions = keys.add_subparsers(metavar="ACTION", required=True)

    create = actions.add_parser("create", help="make a key; it is shown this once")
    kinds = create.add_subparsers(metavar="KIND", required=True)
    plugin = kinds.add_parser(
        "plugin", parents=[common], allow_abbrev=False, help="for a streamer's plugin"
    )
    plugin.add_argument("streamer", help="whose plugin; * for a gateway, whose clients name theirs")
    plugin.add_argument(
        "--group", action="append", dest="groups", metavar="GROUP", help="may be repeated"
    )
    plugin.add_argument(
        "--max-connections",
        type=int,
        metavar="N",
        help="how many it may have on a node (default: the node's max_connections_per_key)",
    )
    backend = kinds.add_parser(
        "backend", parents=[common], allow_abbrev=False, help="for a backend"
    )
    backend.add_argument(
        "--right",
        action="append",
        dest="rights",
        required=True,
        choices=("publish", "read", "admin"),
        help="may be repeated",
    )
    for kind, parser in (("plugin", plugin), ("backend", backend)):
        _add_common_fields(parser)
        add_options(parser)
        parser.set_defaults(run=_create, kind=kind)

    shown = actions.add_parser(
        "list", parents=[common], allow_abbrev=False, help="show all keys, newest first"
    )
    add_options(shown)
    shown.set_defaults(run=_list)

    revoke = actions.add_parser(
        "revoke",
        parents=[common],
        allow_abbrev=False,
        help="make keys invalid and close their connections",
    )
    revoke.add_argument("key_ids", nargs="+", metavar="KEY_ID", help="see keys list")
    add_options(revoke)
    revoke.set_defaults(run=_revoke)


def _add_common_fields(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--namespace",
        action="append",
        dest="namespaces",
        metavar="NAMESPACE",
        help="only for this one; may be repeated (default: all)",
    )
    parser.add_argument("--name", help="what people call it")
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--expires-at", metavar="TIME", help="such as 2027-01-01T00:00:00Z")
    ends.add_argument(
        "--expires-in", metavar="DURATION", type=_duration_s, help="such as 90d, 12h, 30m"
    )


def _create(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    fields = (
        *("kind", "streamer", "groups", "max_connections", "rights", "namespaces", "name"),
        "expires_at",
    )
    body = {name: value for name in fields if (value := getattr(options, name, None)) is not None}
    if options.expires_in is not None:
        body["expires_at"] = round((time.time() + options.expires_in) * 1000)
    made = connect(options, environ).call("POST", "/v1/keys", body, fields=("key_id", "key"))
    if options.json:
        show_json(made)
        return
    key = f"{made.pop('key')}   (shown this once: the node keeps only its hash)"
    show_fields({**{name: _field(value) for name, value in made.items()}, "key": key})


def _list(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    client = connect(options, environ)
    if options.json:
        for page in client.pages("/v1/keys", limit=_PAGE):
            for key in page:
                show_json(key)
        return
    rows = [_row(key) for page in client.pages("/v1/keys", limit=_PAGE) for key in page]
    show_table(_HEAD, rows)


def _revoke(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    client = connect(options, environ)
    for key_id in options.key_ids:
        whole = _WHOLE_KEY.fullmatch(key_id)
        if whole:
            raise CommandError(
                f"give the key's id, {whole[1]}, not the key: nothing after an error is done"
            )
        path = f"/v1/keys/{quote(key_id, safe='')}"
        revoked = client.call("DELETE", path, fields=("key_id",))
        if options.json:
            show_json(revoked)
        else:
            show_fields({"revoked": f"{revoked['key_id']} {_for(revoked)}"})


_HEAD = ("KEY ID", "KIND", "FOR", "NAMESPACES", "GROUPS", "CREATED", "EXPIRES", "LAST USED", "NAME")


def _row(key: Mapping[str, Any]) -> Sequence[object]:
    return (
        key.get("key_id"),
        key.get("kind"),
        _for(key),
        listed(key.get("namespaces"), "all"),
        listed(key.get("groups"), "-"),
        _short(key.get("created_at")),
        _short(key.get("expires_at")),
        _short(key.get("last_used_at")),
        key.get("name", ""),
    )


def _for(key: Mapping[str, Any]) -> str:
    return str(key["streamer"]) if "streamer" in key else listed(key.get("rights"), "-")


def _field(value: object) -> str:
    return listed(value, "-") if isinstance(value, list) else str(value)


def _short(time_text: str | None) -> str:
    """Return a time to the second."""
    return "-" if time_text is None else re.sub(r"\.[0-9]+Z$", "Z", time_text)


def _duration_s(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"not a duration such as 90d, 12h, 30m: {text!r}")
    return int(match[1]) * _UNITS_S[match[2]]
