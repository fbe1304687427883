"""Sids and where their sessions are."""

from zope.interface.verify import verifyObject

from reward_push.engineio.errors import CloseReason
from reward_push.engineio.interfaces import ISessions
from reward_push.engineio.options import EngineOptions
from reward_push.engineio.registry import Registry, node_tag_of
from reward_push.engineio.revision import V3, V4

from ..fakes import FakeTransport, FakeWheel, Recorder


def test_a_sid_is_the_node_s_tag_and_128_random_bits() -> None:
    """22 URL-safe characters behind the tag, never twice."""
    registry = Registry(EngineOptions(), FakeWheel(), Recorder, "aB3x_9")
    sids = {registry.open(V4).sid for _ in range(100)}
    assert len(sids) == 100
    assert all(sid.startswith("aB3x_9") and len(sid) == 28 for sid in sids)
    assert {node_tag_of(sid) for sid in sids} == {"aB3x_9"}


def test_sessions_are_found_counted_and_iterated() -> None:
    """Ending one while iterating is safe."""
    registry = Registry(EngineOptions(), FakeWheel(), Recorder)
    sessions = [registry.open(V3, base64=True), registry.open(V4, "opening")]
    assert [registry.get(each.sid) for each in sessions] == sessions
    assert (sessions[0].base64, sessions[1].base64) == (True, False)
    assert sessions[1].handshake == "opening"
    assert len(registry) == 2
    for each in registry:
        each.transport_lost(FakeTransport())
    assert len(registry) == 0
    assert registry.get(sessions[0].sid) is None
    registry.forget(sessions[0])


def test_each_session_that_is_over_is_told_once() -> None:
    """Also one that was never open, and one that was thrown out."""
    told: list[object] = []
    registry = Registry(EngineOptions(), FakeWheel(), Recorder, forgotten=told.append)
    assert verifyObject(ISessions, registry)
    never, lost, evicted = (registry.open(V4) for _ in range(3))
    never.transport_lost(FakeTransport())
    transport = FakeTransport()
    lost.transport_opened(transport)
    lost.transport_lost(transport)
    evicted.transport_opened(FakeTransport())
    evicted.evict(CloseReason.SLOW_CLIENT)
    evicted.evict(CloseReason.SLOW_CLIENT)
    for session in (never, lost, evicted):
        registry.forget(session)
    assert told == [never, lost, evicted]


def test_how_sessions_have_ended_is_counted() -> None:
    """Once each, also where the client fetches the end later; one that was never open has not ended."""
    wheel = FakeWheel()
    registry = Registry(EngineOptions(), wheel, Recorder)
    registry.open(V4).transport_lost(FakeTransport())
    for reason in (CloseReason.SLOW_CLIENT, CloseReason.SLOW_CLIENT, CloseReason.RATE_LIMIT):
        session = registry.open(V4)
        session.transport_opened(FakeTransport())
        session.evict(reason)
    session = registry.open(V4)
    polling = FakeTransport("polling")
    session.transport_opened(polling)
    session.close(CloseReason.FORCED_CLOSE)
    session.evict(CloseReason.SHUTTING_DOWN)
    assert {reason: count for reason, count in registry.ends.items() if count} == {
        CloseReason.SLOW_CLIENT: 2,
        CloseReason.RATE_LIMIT: 1,
        CloseReason.FORCED_CLOSE: 1,
    }
