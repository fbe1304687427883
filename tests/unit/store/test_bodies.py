"""Messages read back from the texts that they are kept as."""

import gc
import weakref

from reward_push.rewards.message import TO_ALL, Message
from reward_push.store.bodies import body_of, shared_message_of


def message(name: str) -> Message:
    return Message(name, "/a", "code", TO_ALL, {"code": "x" * 1_000}, 1, 2, 3)


def test_what_several_ask_for_is_one_object_as_long_as_somebody_has_it() -> None:
    """Its room is taken once."""
    body, other = body_of(message("m")), body_of(message("n"))
    first = shared_message_of(body)
    assert first == message("m")
    assert shared_message_of(str(body.encode(), "utf-8")) is first
    assert shared_message_of(other) == message("n")
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
    assert shared_message_of(body) == message("m")
