"""The link: order, values, errors, loss and return."""

from pytest_twisted import ensureDeferred
from zope.interface.verify import verifyObject

from reward_push.cluster.interfaces import IRedis, Script

from .until import connected

ECHO = Script("echo", "return ARGV")
PUSH = Script("push", "return redis.call('RPUSH', 'line', ARGV[1])")
ADD = Script("add", "return redis.call('INCRBY', 'sum', ARGV[1])")


@ensureDeferred
async def test_it_is_the_seam(redis, links):
    link = links(redis.url)
    assert verifyObject(IRedis, link)
    await connected(link)


@ensureDeferred
async def test_values_survive(redis, links):
    link = links(redis.url)
    await connected(link)
    texts = [
        "00123",
        "1_000",
        "1e5",
        "-0",
        "+7",
        "",
        " ",
        "™ \U0001f381",
        '{"a": "\\u0000"}',
        "a\r\nb\0",
    ]
    assert await link.run(ECHO, texts) == texts
    assert await link.run(ECHO, [123, b"raw", 2**53]) == ["123", "raw", "9007199254740992"]
    big = "x" * 300_000
    assert await link.run(ECHO, [big, "end"]) == [big, "end"]
    nested = Script("nested", "return {1, false, 'a', {}, {{'b'}, 2}, cjson.decode('[]')}")
    assert await link.run(nested, []) == [1, None, "a", [], [["b"], 2], []]
    assert await link.command("SET", "k", "00123") == "OK"
    assert await link.command("GET", "k") == "00123"
    assert await link.command("GET", "none") is None
    assert await link.command("DEL", "k") == 1
