"""Being let in: passwords, users and their rights, databases; and that no secret is shown."""

import re
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred

from reward_push.access.interfaces import StoreUnavailable
from reward_push.cluster.interfaces import Script

from ..redis_client import ReplyError
from ..running_redis import RunningRedis
from .until import connected, until

PASSWORD = "pä/ss@wo:rd?#%"
ENCODED = "p%C3%A4%2Fss%40wo%3Ard%3F%23%25"
TEN = Script("ten", "return redis.call('INCRBY', 'rp:n', 10)")
MINIMAL = (
    "~rp:* &rp:* -@all +@scripting +incrby +get +publish +subscribe +unsubscribe "
    "+auth +ping +info +select +time"
)


def documented_rights() -> list[str]:
    """What docs/redis.md says that an ACL user needs."""
    text = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
    [rights] = re.findall(r"`(~rp:\* [^`]*)`", text)
    return rights.split()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("guarded")
    users = [
        ("--user", "node", "on", f">{PASSWORD}", "~*", "&*", "+@all"),
        ("--user", "documented", "on", ">its-word", *documented_rights()),
        ("--user", "least", "on", ">least-word", *MINIMAL.split()),
        ("--user", "mute", "on", ">mute-word", "~*", "&*", "+@all", "-@scripting"),
        ("--user", "deaf", "on", ">deaf-word", "~*", "+@all", "-select"),
    ]
    options = [word for user in users for word in user]
    with RunningRedis(folder, *options, password="of-the-default-user") as running:
        yield running


def url(server: RunningRedis, login: str, rest: str = "") -> str:
    return f"redis://{login}@127.0.0.1:{server.port}{rest}"


@ensureDeferred
async def test_the_default_users_password(guarded, links):
    link = links(guarded.url)
    await connected(link)
    assert await link.command("ACL", "WHOAMI") == "default"


@ensureDeferred
async def test_a_user_with_a_password_full_of_signs(guarded, links):
    link = links(url(guarded, f"node:{ENCODED}"))
    await connected(link)
    assert await link.command("ACL", "WHOAMI") == "node"


@pytest.mark.parametrize(
    ("login", "says"),
    [
        (":SECRET", "Redis refuses the user or password (WRONGPASS)"),
        ("node:SECRET", "Redis refuses the user or password (WRONGPASS)"),
        ("SECRET:SECRET", "Redis refuses the user or password (WRONGPASS)"),
    ],
)
@ensureDeferred
async def test_a_wrong_password_is_told_without_it(guarded, links, told, login, says):
    link = links(url(guarded, login))
    await until(lambda: says in str(link.trouble()))
    with pytest.raises(StoreUnavailable) as refused:
        await link.command("PING")
    assert not any("SECRET" in text for text in (*told, str(refused.value), repr(refused.value)))
    assert told == [f"link: no Redis at 127.0.0.1:{guarded.port}: {says}"]


@ensureDeferred
async def test_no_password_where_one_is_wanted(guarded, links):
    link = links(f"redis://127.0.0.1:{guarded.port}")
    await until(lambda: link.trouble() == "Redis is away: Redis wants a password")


@ensureDeferred
async def test_a_password_where_there_is_none(redis, links, told):
    link = links(url(redis, ":SECRET"))
    await until(
        lambda: link.trouble() == "Redis is away: Redis has no password for its default user"
    )
    assert "SECRET" not in str(told)


@ensureDeferred
async def test_a_redis_that_knows_no_auth_repeats_the_password_to_nobody(tmp_path, links, told):
    """Redis repeats what it was told with a command that it does not know."""
    with RunningRedis(tmp_path, "--rename-command", "AUTH", "LETMEIN") as odd:
        with pytest.raises(ReplyError, match="SECRET"):
            odd.call("AUTH", "SECRET")
        link = links(url(odd, ":SECRET"))
        await until(lambda: "refuses the user or password (ERR)" in str(link.trouble()))
        assert "SECRET" not in str([told, link.trouble()])


@ensureDeferred
async def test_a_changed_password_is_used_once_redis_knows_it(own_redis, links):
    link = links(url(own_redis, "later:word"))
    await until(lambda: "WRONGPASS" in str(link.trouble()))
    own_redis.call("ACL", "SETUSER", "later", "on", ">word", "~*", "&*", "+@all")
    assert await connected(link) < 2


@pytest.mark.parametrize("login", ["documented:its-word", "least:least-word"])
@ensureDeferred
async def test_a_user_with_no_more_than_it_needs(guarded, links, subscribers, login):
    guarded.call("FLUSHALL")
    link = links(url(guarded, login))
    await connected(link)
    assert await link.run(TEN, []) == 10
    assert link.server.version
    assert await link.command("TIME")
    heard = []
    subscriber = subscribers(url(guarded, login), lambda *what: heard.append(what))
    await subscriber.subscribe(["rp:x"])
    await link.command("PUBLISH", "rp:x", "hello")
    await until(lambda: heard == [("rp:x", "hello")])


@ensureDeferred
async def test_rights_that_are_missing_are_told(guarded, links, told):
    link = links(url(guarded, "mute:mute-word"))
    await connected(link)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="the Redis user lacks a right"):
            await link.run(TEN, [])
    assert link.trouble() == "the Redis user lacks a right"
    assert link.connections == 1
    assert told.count("the Redis user lacks a right") == 1


@ensureDeferred
async def test_channels_that_are_forbidden_are_told(guarded, subscribers, told):
    subscriber = subscribers(url(guarded, "deaf:deaf-word"))
    subscriber.subscribe(["rp:x"]).addErrback(lambda _: None)
    await until(lambda: "NOPERM" in str(told))
    assert "deaf-word" not in str(told)
    assert subscriber.trouble() is not None


@ensureDeferred
async def test_a_user_whose_rights_end_is_looked_after(own_redis, links):
    own_redis.call("ACL", "SETUSER", "some", "on", ">word", "~*", "&*", "+@all")
    link = links(url(own_redis, "some:word"))
    await connected(link)
    own_redis.call("ACL", "DELUSER", "some")
    await until(lambda: "WRONGPASS" in str(link.trouble()))


# Databases.


@ensureDeferred
async def test_the_database_is_chosen_on_each_connection(redis, faulty, links):
    link = links(f"redis://127.0.0.1:{faulty.port}/7")
    await connected(link)
    await link.command("SET", "where", "seven")
    faulty.cut()
    await until(link.trouble)
    faulty.restore()
    await connected(link)
    assert await link.command("GET", "where") == "seven"
    assert redis.call("GET", "where") is None


@ensureDeferred
async def test_a_database_that_does_not_exist_is_told(redis, links):
    link = links(f"{redis.url}/4711")
    await until(lambda: "DB index is out of range" in str(link.trouble()))


@ensureDeferred
async def test_a_database_that_is_forbidden_is_told(guarded, links):
    link = links(url(guarded, "deaf:deaf-word", "/1"))
    await until(lambda: "NOPERM" in str(link.trouble()))
