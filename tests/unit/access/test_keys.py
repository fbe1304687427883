"""The key ring: what is asked of the store, and what is not."""

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from zope.interface import implementer

from reward_push.access import keys as keys_module
from reward_push.access.interfaces import (
    IKeyStore,
    KeyKind,
    KeyPage,
    Right,
    StoredKey,
    StoreUnavailable,
)
from reward_push.access.key_text import new_key
from reward_push.access.keys import KeyRing
from reward_push.access.token_keys import of_secret
from reward_push.access.tokens import Tokens

from ...token_maker import SECRET
from ...token_maker import token as made


@implementer(IKeyStore)
class RecordingStore:
    """Keeps keys in a dict and notes what is asked; answers at once, or when ``release`` is called."""

    def __init__(self, *stored: StoredKey, at_once: bool = True, away: bool = False):
        self.keys = {each.key.key_id: each for each in stored}
        self.asked: list[str] = []
        self.at_once = at_once
        self.away = away
        self.used: dict[str, int] = {}
        self.pages: list[tuple[int, str | None]] = []
        self.waiting: list[tuple[str, Deferred]] = []

    def add_key(self, stored):
        self.keys[stored.key.key_id] = stored
        return succeed(None)

    def get_key(self, key_id):
        self.asked.append(key_id)
        if self.at_once:
            return succeed(self.keys.get(key_id))
        answer = Deferred()
        self.waiting.append((key_id, answer))
        return answer

    def remove_key(self, key_id):
        if self.away:
            return fail(StoreUnavailable("disk I/O error"))
        return succeed(self.keys.pop(key_id, None))

    def page_keys(self, limit, cursor):
        self.pages.append((limit, cursor))
        return succeed(KeyPage((), None))

    def note_used(self, used):
        self.used.update(used)
        return succeed(None)

    def release(self):
        waiting, self.waiting = self.waiting, []
        for key_id, answer in waiting:
            answer.callback(self.keys.get(key_id))

    def break_down(self):
        waiting, self.waiting = self.waiting, []
        for _, answer in waiting:
            answer.errback(StoreUnavailable("disk I/O error"))


class Clock:
    def __init__(self):
        self.now_ms = 1_000

    def __call__(self):
        return self.now_ms


def plugin_key(**changes) -> tuple[StoredKey, str]:
    return new_key(KeyKind.PLUGIN, 0, streamer="s-42", **changes)


def result(deferred):
    """The result of a Deferred that has one."""
    results = []
    deferred.addBoth(results.append)
    assert len(results) == 1, "not fired"
    return results[0]


def failure(deferred):
    """The exception of a Deferred that has failed."""
    return result(deferred).value


def test_right_secret_gives_the_key():
    stored, text = plugin_key()
    ring = KeyRing(RecordingStore(stored), Clock())
    assert result(ring.authenticate(text)) is stored.key


@pytest.mark.parametrize("change", [lambda text: text + "x", lambda text: text[:-1]])
def test_wrong_secret_gives_none(change):
    stored, text = plugin_key()
    ring = KeyRing(RecordingStore(stored), Clock())
    assert result(ring.authenticate(change(text))) is None
    assert result(ring.authenticate(text)) is stored.key
    assert result(ring.authenticate(change(text))) is None


def test_unknown_key_gives_none():
    _, text = plugin_key()
    assert result(KeyRing(RecordingStore(), Clock()).authenticate(text)) is None


@pytest.mark.parametrize("text", ["", "config", "rpk_", "rpk_aaaaaaaaaaaa_", "\ud800", "é" * 100])
def test_malformed_key_gives_none_without_asking(text):
    store = RecordingStore()
    assert result(KeyRing(store, Clock(), "backend").authenticate(text)) is None
    assert store.asked == []


def test_key_of_512_characters_is_looked_up_and_a_longer_one_is_not():
    store = RecordingStore()
    ring = KeyRing(store, Clock(), "backend")
    head = "rpk_aaaaaaaaaaaa_"
    assert result(ring.authenticate(head + "s" * (513 - len(head)))) is None
    assert store.asked == []
    assert result(ring.authenticate(head + "s" * (512 - len(head)))) is None
    assert store.asked == ["aaaaaaaaaaaa"]


def test_expiry_counts_at_every_call_though_the_key_is_remembered():
    stored, text = plugin_key(expires_at_ms=2_000)
    clock = Clock()
    ring = KeyRing(RecordingStore(stored), clock)
    clock.now_ms = 1_999
    assert result(ring.authenticate(text)) is stored.key
    clock.now_ms = 2_000
    assert result(ring.authenticate(text)) is None


def test_known_key_is_asked_for_once():
    stored, text = plugin_key()
    store = RecordingStore(stored)
    ring = KeyRing(store, Clock())
    for _ in range(3):
        assert result(ring.authenticate(text)) is stored.key
    assert store.asked == [stored.key.key_id]


def test_how_long_a_no_takes_does_not_tell_whether_there_is_such_a_key():
    """The store is asked for an id that is known when it would be for one that is not."""
    stored, text = plugin_key()
    store = RecordingStore(stored)
    ring = KeyRing(store, Clock())
    assert result(ring.authenticate(text)) is stored.key
    known = f"rpk_{stored.key.key_id}_"
    for prefix in (known, "rpk_aaaaaaaaaaaa_"):
        asked = []
        for number in range(5):
            store.asked.clear()
            assert result(ring.authenticate(f"{prefix}{number}")) is None
            asked.append(len(store.asked))
        assert asked == [1, 0, 0, 0, 0]
    store.asked.clear()
    assert result(ring.authenticate(text)) is stored.key
    assert store.asked == []


def test_a_key_that_somebody_guessed_at_is_looked_up_again_when_it_was_displaced():
    """What is remembered of wrong keys never stands against the right one."""
    stored, text = plugin_key()
    other, other_text = plugin_key()
    store = RecordingStore(stored, other)
    ring = KeyRing(store, Clock(), cache_size=1)
    for presented, key in ((text, stored.key), (text + "x", None), (other_text, other.key)):
        assert result(ring.authenticate(presented)) is key
    assert result(ring.authenticate(text)) is stored.key


def test_unknown_key_is_asked_for_once():
    stored, text = plugin_key()
    store = RecordingStore()
    ring = KeyRing(store, Clock())
    for _ in range(3):
        assert result(ring.authenticate(text)) is None
    assert store.asked == [stored.key.key_id]


def test_least_recently_used_key_is_dropped_first():
    (one, one_text), (two, two_text), (three, three_text) = made = [plugin_key() for _ in range(3)]
    store = RecordingStore(*(stored for stored, _ in made))
    ring = KeyRing(store, Clock(), cache_size=2)
    for text in (one_text, two_text, one_text, three_text, one_text, two_text):
        result(ring.authenticate(text))
    assert store.asked == [each.key.key_id for each in (one, two, three, two)]


def test_flood_of_unknown_ids_displaces_no_key_and_is_not_kept():
    stored, text = plugin_key()
    store = RecordingStore(stored)
    ring = KeyRing(store, Clock(), cache_size=1, unknown_cache_size=2)
    result(ring.authenticate(text))
    unknown = [plugin_key()[1] for _ in range(50)]
    for each in unknown:
        result(ring.authenticate(each))
    asked = len(store.asked)
    assert result(ring.authenticate(text)) is stored.key
    assert len(store.asked) == asked
    result(ring.authenticate(unknown[0]))
    assert len(store.asked) == asked + 1


def test_concurrent_calls_for_one_key_share_one_question():
    stored, text = plugin_key()
    store = RecordingStore(stored, at_once=False)
    ring = KeyRing(store, Clock())
    calls = [ring.authenticate(text), ring.authenticate(text + "x"), ring.authenticate(text)]
    assert store.asked == [stored.key.key_id]
    store.release()
    assert [result(call) for call in calls] == [stored.key, None, stored.key]


def test_cancelled_call_leaves_the_others_alone():
    stored, text = plugin_key()
    store = RecordingStore(stored, at_once=False)
    ring = KeyRing(store, Clock())
    cancelled, other = ring.authenticate(text), ring.authenticate(text)
    cancelled.cancel()
    store.release()
    assert isinstance(failure(cancelled), CancelledError)
    assert result(other) is stored.key


def test_store_that_is_away_is_no_definite_no_and_is_asked_again():
    stored, text = plugin_key()
    store = RecordingStore(stored, at_once=False)
    ring = KeyRing(store, Clock())
    calls = [ring.authenticate(text), ring.authenticate(text)]
    store.break_down()
    assert all(isinstance(failure(call), StoreUnavailable) for call in calls)
    again = ring.authenticate(text)
    store.release()
    assert result(again) is stored.key


def test_too_many_lookups_at_once_are_refused_but_not_for_ids_under_way_or_known():
    made = [plugin_key() for _ in range(4)]
    store = RecordingStore(*(stored for stored, _ in made))
    ring = KeyRing(store, Clock(), max_lookups=2)
    assert result(ring.authenticate(made[0][1])) is made[0][0].key
    store.at_once = False
    waiting = [ring.authenticate(made[n][1]) for n in (1, 2)]
    assert isinstance(failure(ring.authenticate(made[3][1])), StoreUnavailable)
    waiting.append(ring.authenticate(made[1][1]))
    assert result(ring.authenticate(made[0][1])) is made[0][0].key
    store.release()
    assert [result(each) for each in waiting] == [made[n][0].key for n in (1, 2, 1)]
    waiting = ring.authenticate(made[3][1])
    store.release()
    assert result(waiting) is made[3][0].key


def test_forgotten_key_is_looked_up_again():
    stored, text = plugin_key()
    store = RecordingStore(stored)
    ring = KeyRing(store, Clock())
    assert result(ring.authenticate(text)) is stored.key
    del store.keys[stored.key.key_id]
    ring.forget(stored.key.key_id)
    assert result(ring.authenticate(text)) is None
    store.keys[stored.key.key_id] = stored
    ring.forget(stored.key.key_id)
    assert result(ring.authenticate(text)) is stored.key


def test_forgetting_what_is_not_known_does_nothing():
    KeyRing(RecordingStore(), Clock()).forget("aaaaaaaaaaaa")


def test_key_forgotten_during_its_lookup_is_asked_for_once_more():
    """The answer under way may be older than the revocation."""
    stored, text = plugin_key()
    store = RecordingStore(stored, at_once=False)
    ring = KeyRing(store, Clock())
    call = ring.authenticate(text)
    ring.forget(stored.key.key_id)
    store.release()
    del store.keys[stored.key.key_id]
    store.release()
    assert result(call) is None
    assert store.asked == [stored.key.key_id] * 2


def test_configured_backend_key_has_every_right_and_needs_no_store():
    store = RecordingStore()
    ring = KeyRing(store, Clock(), "any text: é ™")
    key = result(ring.authenticate("any text: é ™"))
    assert key.key_id == "config"
    assert key.kind is KeyKind.BACKEND
    assert key.rights == frozenset(Right)
    assert key.namespaces is None
    assert key.expires_at_ms is None
    assert result(ring.authenticate("any text: é")) is None
    assert store.asked == []


def test_configured_key_may_look_like_a_stored_one():
    stored, text = plugin_key()
    _, configured = new_key(KeyKind.BACKEND, 0)
    ring = KeyRing(RecordingStore(stored), Clock(), configured)
    assert result(ring.authenticate(configured)).key_id == "config"
    assert result(ring.authenticate(text)) is stored.key


@pytest.mark.parametrize("text", ["", "x" * 513])
def test_configured_key_that_could_never_be_presented_is_refused(text):
    with pytest.raises(ValueError, match="1 to 512 characters"):
        KeyRing(RecordingStore(), Clock(), text)


def test_created_key_is_stored_and_valid_at_once():
    store = RecordingStore()
    ring = KeyRing(store, Clock())
    key, text = result(
        ring.create(
            KeyKind.PLUGIN,
            name="OBS",
            streamer="s",
            groups=["eu"],
            namespaces=["/dropcodes"],
            expires_at_ms=5_000,
        )
    )
    assert key == store.keys[key.key_id].key
    assert (key.name, key.streamer, key.groups) == ("OBS", "s", ("eu",))
    assert (key.namespaces, key.expires_at_ms, key.created_at_ms) == (("/dropcodes",), 5_000, 1_000)
    assert result(ring.authenticate(text)) == key


def test_created_backend_key_has_its_rights():
    ring = KeyRing(RecordingStore(), Clock())
    key, text = result(ring.create(KeyKind.BACKEND, rights={Right.PUBLISH}))
    assert key.rights == {Right.PUBLISH}
    assert result(ring.authenticate(text)) == key


def test_key_that_could_not_be_stored_is_not_handed_out():
    class Broken(RecordingStore):
        def add_key(self, stored):
            answer = Deferred()
            answer.errback(StoreUnavailable("database or disk is full"))
            return answer

    call = KeyRing(Broken(), Clock()).create(KeyKind.BACKEND)
    assert isinstance(failure(call), StoreUnavailable)


def test_created_key_is_known_without_being_looked_up():
    store = RecordingStore()
    ring = KeyRing(store, Clock())
    key, text = result(ring.create(KeyKind.PLUGIN, streamer="s"))
    assert result(ring.authenticate(text)) == key
    assert store.asked == []


def test_revoked_key_lets_nobody_in_and_its_sockets_are_closed():
    stored, text = plugin_key()
    store = RecordingStore(stored)
    ring = KeyRing(store, Clock())
    evicted = []
    ring.evict = evicted.append
    assert result(ring.authenticate(text)) is stored.key
    assert ring.remembers(stored.key)
    assert result(ring.revoke(stored.key.key_id)) is stored.key
    assert not ring.remembers(stored.key)
    assert result(ring.authenticate(text)) is None
    assert evicted == [stored.key.key_id]


def test_revoking_what_the_store_does_not_have_still_closes_what_is_open_here():
    """Another node may have removed it, and this one not have heard of it."""
    stored, text = plugin_key()
    store = RecordingStore(stored)
    ring = KeyRing(store, Clock())
    evicted = []
    ring.evict = evicted.append
    result(ring.authenticate(text))
    store.keys.clear()
    assert result(ring.revoke(stored.key.key_id)) is None
    assert result(ring.authenticate(text)) is None
    assert evicted == [stored.key.key_id]


def test_key_that_could_not_be_removed_stays():
    stored, text = plugin_key()
    store = RecordingStore(stored, away=True)
    ring = KeyRing(store, Clock())
    evicted = []
    ring.evict = evicted.append
    assert isinstance(failure(ring.revoke(stored.key.key_id)), StoreUnavailable)
    assert evicted == []
    store.away = False
    assert result(ring.authenticate(text)) is stored.key


def test_news_of_a_revocation_does_the_same_and_again_nothing():
    stored, text = plugin_key()
    store = RecordingStore(stored)
    ring = KeyRing(store, Clock())
    evicted = []
    ring.evict = evicted.append
    result(ring.authenticate(text))
    del store.keys[stored.key.key_id]
    ring.revoked(stored.key.key_id)
    ring.revoked(stored.key.key_id)
    assert result(ring.authenticate(text)) is None
    assert evicted == [stored.key.key_id] * 2


def test_keys_in_memory_can_be_put_back_into_a_store_that_lost_them():
    """As many as fit: those used last. None that was revoked, nor the configuration's."""
    made = [plugin_key() for _ in range(4)]
    store = RecordingStore(*(stored for stored, _ in made))
    ring = KeyRing(store, Clock(), "backend", cache_size=3)
    result(ring.authenticate("backend"))
    for _, text in made:
        result(ring.authenticate(text))
    assert ring.known() == [stored for stored, _ in made[1:]]
    ring.revoked(made[2][0].key.key_id)
    assert ring.known() == [made[1][0], made[3][0]]


def test_after_news_were_missed_no_key_is_trusted():
    """Those in use are looked up at once, all others when they are shown: a backend's has no socket."""
    made = [plugin_key() for _ in range(4)]
    store = RecordingStore(*(stored for stored, _ in made))
    ring = KeyRing(store, Clock())
    evicted = []
    ring.evict = evicted.append
    for _, text in made:
        result(ring.authenticate(text))
    ids = [stored.key.key_id for stored, _ in made]
    for key_id in (ids[1], ids[3]):
        del store.keys[key_id]
    store.asked.clear()
    assert result(Deferred.fromCoroutine(ring.check(ids[:2]))) is None
    assert (store.asked, evicted) == (ids[:2], [ids[1]])
    found = [result(ring.authenticate(text)) for _, text in made]
    assert found == [made[0][0].key, None, made[2][0].key, None]


def test_keys_that_cannot_be_checked_are_not_trusted_meanwhile():
    stored, text = plugin_key()
    store = RecordingStore(stored, at_once=False)
    ring = KeyRing(store, Clock())
    waiting = ring.authenticate(text)
    store.release()
    result(waiting)
    checking = Deferred.fromCoroutine(ring.check([stored.key.key_id]))
    store.break_down()
    assert isinstance(failure(checking), StoreUnavailable)
    waiting = ring.authenticate(text)
    store.break_down()
    assert isinstance(failure(waiting), StoreUnavailable)


def test_many_keys_are_checked_at_a_time_but_not_all(monkeypatch):
    """A node has tens of thousands: neither one after the other, nor more than may wait for the store."""
    monkeypatch.setattr(keys_module, "CHECKED_AT_ONCE", 3)
    made = [plugin_key() for _ in range(7)]
    store = RecordingStore(*(stored for stored, _ in made), at_once=False)
    ids = [stored.key.key_id for stored, _ in made]
    checking = Deferred.fromCoroutine(KeyRing(store, Clock()).check(ids))
    for count in (3, 6, 7):
        assert store.asked == ids[:count]
        store.release()
    assert result(checking) is None


def test_revoked_keys_are_remembered_the_last_ones():
    """By whomever they were revoked: for a store that has lost its data."""
    ring = KeyRing(RecordingStore(), Clock(), cache_size=2)
    for key_id in ("one", "two", "two", "three"):
        ring.revoked(key_id)
    assert ring.known_revoked() == ["two", "three"]
    result(ring.revoke("four"))
    ring.forget("four")
    assert ring.known_revoked() == ["three", "four"]


def test_configured_key_is_always_remembered():
    ring = KeyRing(RecordingStore(), Clock(), "backend")
    assert ring.remembers(result(ring.authenticate("backend")))


def test_use_is_noted_of_right_keys_alone():
    """Not of the configured one, which is in no store. A list of keys knows of it at once."""
    (stored, text), (expired, expired_text) = plugin_key(), plugin_key(expires_at_ms=10)
    store = RecordingStore(stored, expired)
    clock = Clock()
    ring = KeyRing(store, clock, "backend")
    for presented in (text, text + "x", expired_text, "backend", "nonsense"):
        result(ring.authenticate(presented))
        clock.now_ms += 1
    result(ring.page(10, None))
    assert store.used == {stored.key.key_id: 1_000}
    assert store.pages == [(10, None)]


# Tokens


SIGNED = made({"sub": "s-42", "exp": 9_000_000})


def test_token_stands_where_a_key_does_and_no_store_is_asked():
    store, clock = RecordingStore(), Clock()
    ring = KeyRing(store, clock, None, Tokens(of_secret(SECRET), clock))
    assert ring.recall(SIGNED) is None
    key = result(ring.authenticate(SIGNED))
    assert (key.key_id, key.streamer, key.kind) == ("jwt:s-42", "s-42", KeyKind.PLUGIN)
    assert ring.token(SIGNED) is ring.recall(SIGNED) is key
    assert ring.remembers(key)
    assert ring.known() == []
    result(ring.page(1, None))
    assert (store.asked, store.used) == ([], {})
    clock.now_ms = 10_000_000_000
    assert result(ring.authenticate(SIGNED)) is None
    assert not ring.remembers(key)


def test_without_tokens_there_are_none():
    ring = KeyRing(RecordingStore(), Clock(), "a.b.c")
    assert result(ring.authenticate(SIGNED)) is None
    assert (ring.token(SIGNED), ring.recall(SIGNED)) == (None, None)
    assert result(ring.authenticate("a.b.c")).key_id == "config"
