"""``reward-push keys``."""

import json
import re
import time
from contextlib import closing
from datetime import datetime

import pytest

from ..running_node import Backend, RunningNode
from .conftest import Command

KEY = re.compile(r"rpk_[a-z2-7]{12}_[A-Za-z0-9_-]{43}")


def ids(run: Command) -> list[str]:
    listed = run("keys", "list", "--json")
    assert listed.status == 0, listed.err
    return [json.loads(line)["key_id"] for line in listed.out.splitlines()]


def test_a_key_is_made_shown_once_listed_and_revoked(run: Command, node: RunningNode) -> None:
    made = run("keys", "create", "backend", "--right", "read", "--name", "report")
    assert (made.status, made.err) == (0, "")
    [key] = KEY.findall(made.out)
    key_id = key.split("_")[1]
    assert f"key_id:     {key_id}\n" in made.out
    assert "rights:     read\n" in made.out
    assert "(shown this once" in made.out
    with closing(Backend(node.port, key)) as backend:
        assert backend.call("GET", "/v1/nodes")[0] == 200

    listed = run("keys", "list")
    assert (listed.status, listed.err) == (0, "")
    head, *rows = listed.out.splitlines()
    assert re.split(" {2,}", head) == [
        *("KEY ID", "KIND", "FOR", "NAMESPACES", "GROUPS", "CREATED", "EXPIRES", "LAST USED"),
        "NAME",
    ]
    [row] = [re.split(" {2,}", row) for row in rows if row.startswith(key_id)]
    assert (row[1:5], row[6], row[8]) == (["backend", "read", "all", "-"], "-", "report")
    assert row[7].startswith("20")
    assert not KEY.search(listed.out)

    revoked = run("keys", "revoke", key_id)
    assert (revoked.status, revoked.out) == (0, f"revoked: {key_id} read\n")
    with closing(Backend(node.port, key)) as backend:
        assert backend.call("GET", "/v1/nodes")[0] == 401
    assert key_id not in ids(run)
    again = run("keys", "revoke", key_id)
    assert again.status == 1
    assert again.line == "reward-push: the node says 404 not_found: there is no such key"


def test_a_plugin_key_with_everything_as_json(run: Command) -> None:
    made = run(
        *("keys", "create", "plugin", "s-42", "--group", "eu", "--group", "vip"),
        *("--namespace", "/dropcodes", "--namespace", "/donations", "--name", "OBS, ™"),
        *("--expires-at", "2127-01-01T00:00:00+01:00", "--max-connections", "3", "--json"),
    )
    assert made.out.isascii()
    key = json.loads(made.out)
    assert KEY.fullmatch(key.pop("key"))
    assert key.pop("created_at")
    assert key == {
        "key_id": key["key_id"],
        "kind": "plugin",
        "streamer": "s-42",
        "groups": ["eu", "vip"],
        "max_connections": 3,
        "namespaces": ["/dropcodes", "/donations"],
        "name": "OBS, ™",
        "expires_at": "2126-12-31T23:00:00.000Z",
    }
    [row] = [row for row in run("keys", "list").out.splitlines() if row.startswith(key["key_id"])]
    assert re.split(" {2,}", row)[1:5] == ["plugin", "s-42", "/dropcodes,/donations", "eu,vip"]
    assert "2126-12-31T23:00:00Z  -  " in row
    assert row.endswith("  OBS, ™")


def test_a_gateway_key_with_an_end_in_ninety_days(run: Command) -> None:
    made = json.loads(run("keys", "create", "plugin", "*", "--expires-in", "90d", "--json").out)
    ends = datetime.fromisoformat(made["expires_at"]).timestamp()
    assert abs(ends - time.time() - 90 * 86_400) < 600
    assert made["streamer"] == "*"


def test_long_lists_are_read_to_their_end(run: Command, node: RunningNode) -> None:
    """More than the API gives in one page; newest first."""
    made = [node.plugin_key(streamer="many").key.split("_")[1] for _ in range(205)]
    found = ids(run)
    assert set(found[:205]) == set(made)
    assert len(run("keys", "list").out.splitlines()) == len(found) + 1


def test_several_are_revoked_until_one_cannot_be(run: Command, node: RunningNode) -> None:
    first, second = (node.plugin_key().key.split("_")[1] for _ in range(2))
    done = run("keys", "revoke", first, "aaaaaaaaaaaa", second, "--json")
    assert done.status == 1
    assert json.loads(done.out)["key_id"] == first
    assert "404 not_found" in done.err
    assert first not in ids(run)
    assert second in ids(run)


def test_a_whole_key_in_place_of_its_id_is_not_shown_again(run: Command, node: RunningNode) -> None:
    key = node.plugin_key().key
    done = run("keys", "revoke", key)
    assert done.status == 1
    assert done.line.startswith(f"reward-push: give the key's id, {key.split('_')[1]}, not the key")
    assert key not in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plugin", "a b"), "400 invalid_request (streamer): streamer must be 1 to 64 of"),
        (("plugin", "s", "--namespace", "/nope"), "(namespaces[0]): namespaces[0] must be one of"),
        (("plugin", "s", "--expires-at", "soon"), "(expires_at): expires_at must be an RFC 3339"),
        (("plugin", "s", "--expires-at", "2001-01-01T00:00:00Z"), "must be in the future"),
        (("plugin", "s", "--name", "a\x1b[2J"), "name must not contain control characters"),
    ],
)
def test_what_the_node_refuses(run: Command, arguments: tuple[str, ...], said: str) -> None:
    done = run("keys", "create", *arguments)
    assert done.status == 1
    assert said in done.line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("keys",), "ACTION"),
        (("keys", "create"), "KIND"),
        (("keys", "create", "plugin"), "streamer"),
        (("keys", "create", "backend"), "--right"),
        (("keys", "create", "backend", "--right", "all"), "invalid choice: 'all'"),
        (("keys", "create", "plugin", "s", "--expires-in", "soon"), "not a duration such as 90d"),
        (
            ("keys", "create", "plugin", "s", "--expires-in", "1d", "--expires-at", "x"),
            "not allowed",
        ),
        (("keys", "revoke"), "KEY_ID"),
        (("keys", "list", "--timeout", "0"), "not a number of seconds above 0"),
        (("keys", "list", "more"), "there are too many arguments"),
        (("keys", "list", "--nope", "x"), "unknown option --nope"),
    ],
)
def test_a_wrong_command_line(bare: Command, arguments: tuple[str, ...], said: str) -> None:
    done = bare(*arguments)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
