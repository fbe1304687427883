"""What holds in Redis after every script, whatever was done."""

import json

from reward_push.cluster.device_text import from_text
from reward_push.rewards.interfaces import Reason
from reward_push.rewards.message import message_from_json
from reward_push.rewards.rooms import rooms_of
from reward_push.store.bodies import slot
from tests.redis_client import RedisClient

from .opened import PREFIX

ENDED = {"done", "expired", "cancelled"}


class Contents:
    """All that is in Redis, by key without the prefix."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self.values = {}
        for key in redis.call("KEYS", "*"):
            assert key.startswith(PREFIX), "a key that is not ours"
            self.values[key.removeprefix(PREFIX)] = self._read(key)

    def _read(self, key):
        match self._redis.call("TYPE", key):
            case "hash":
                return _pairs(self._redis.call("HGETALL", key))
            case "zset":
                scored = _pairs(self._redis.call("ZRANGE", key, 0, -1, "WITHSCORES"))
                return {member: int(score) for member, score in scored.items()}
            case "string":
                return self._redis.call("GET", key)

    def get(self, key, default=None):
        return self.values.get(key, default)

    def under(self, first):
        """What begins with ``first``, by the rest of the key."""
        return {
            key.removeprefix(first): value
            for key, value in self.values.items()
            if key.startswith(first)
        }


def check(redis: RedisClient) -> None:
    """Raise AssertionError unless all that is in Redis agrees with each other."""
    contents = Contents(redis)
    messages = contents.under("m:")
    assert set(contents.under("b:")) == set(messages)
    expected = {"all": {}, "due": {}, "over": {}, "ended": {}}
    slots = {}
    for name, kept in messages.items():
        seq, state = int(kept["seq"]), kept["state"]
        message = message_from_json(json.loads(contents.get(f"b:{name}")))
        assert (message.id, message.namespace) == (name, kept["ns"])
        assert (message.deliver_at_ms, message.once) == (int(kept["at"]), "once" in kept)
        assert kept.get("till") == _text(message.expires_at_ms)
        assert kept.get("slot") == (None if slot(message) is None else slot(message).hex())
        assert ("live" in kept) == (state == "live"), name
        assert ("over" in kept) == (state in ENDED), name
        assert "why" not in kept or (state in ENDED and Reason(kept["why"]))
        assert ("by" in kept) == (kept.get("why") == "taken")
        rooms = list(dict.fromkeys(rooms_of(message.to)))
        assert json.loads(kept["rooms"]) == rooms
        expected["all"][name] = seq
        expected.setdefault(f"state:{state}", {})[name] = seq
        for room in rooms:
            if room.startswith("streamer:"):
                expected.setdefault(f"to:{room.removeprefix('streamer:')}", {})[name] = seq
            if state == "live":
                key = f"live:{message.namespace}|{room}"
                expected.setdefault(key, {})[name] = int(kept["live"])
        if state == "scheduled":
            expected["due"][f"{seq:016d}{name}"] = message.deliver_at_ms
        elif state == "live":
            expected["over"][f"{seq:016d}{name}"] = message.expires_at_ms
            if "slot" in kept:
                assert kept["slot"] not in slots, "two live messages replace each other"
                slots[kept["slot"]] = name
        else:
            expected["ended"][name] = int(kept["over"])
        _check_receipts(contents, name, kept)
    indexes = {
        key: value
        for key, value in contents.values.items()
        if key in expected or key.startswith(("state:", "to:", "live:"))
    }
    assert indexes == {key: value for key, value in expected.items() if value}
    assert contents.under("slot:") == slots
    assert set(contents.under("r:")) <= set(messages)
    _check_numbers(contents, messages)


def _check_receipts(contents, name, kept):
    receipts = contents.get(f"r:{name}", {})
    levels = [int(value[0]) for value in receipts.values()]
    counts = [sum(level >= least for level in levels) for least in (1, 2, 3)]
    assert counts == [int(kept.get(field, 0)) for field in ("sent", "dlvd", "ackd")], name
    for device in receipts:
        from_text(device)
    if kept.get("why") and kept["why"] != "expired":
        for device in receipts:
            had = contents.get(f"had:{device}", {})
            assert "-" not in device or name not in had, "nameless devices are owed nothing"


def _check_numbers(contents, messages):
    """No number is given twice, and none is beyond the last one."""
    given = [int(kept["seq"]) for kept in messages.values()]
    given += [int(kept["live"]) for kept in messages.values() if "live" in kept]
    assert len(given) == len(set(given))
    news = contents.get("news", {})
    assert not set(news.values()) & set(given)
    for device in contents.under("had:"):
        for name, seq in contents.get(f"had:{device}").items():
            assert name not in messages or seq == int(messages[name]["seq"])
    last = int(contents.get("no", 0))
    assert all(number <= last for number in [*given, *news.values()])


def _pairs(flat):
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _text(value):
    return None if value is None else str(value)
