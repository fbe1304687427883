"""Sids and where their sessions are."""

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
