"""What is asked about very many devices."""

from twisted.internet.defer import Deferred

from reward_push.cluster.device_text import to_text
from reward_push.store.redis.device_calls import DEVICES_A_STEP, had, nameless
from reward_push.store.redis.line import Line
from reward_push.store.redis.store import MAX_WAITING_ROWS

from .test_line import Link


def test_who_had_a_message_can_be_asked_about_all_sockets_of_a_node() -> None:
    """They may be many times as many as may wait for Redis at one time; others have their turn in between."""
    link = Link()
    line = Line(link, "rp:", MAX_WAITING_ROWS)
    line.start()
    devices = [nameless(number, 1) for number in range(5 * MAX_WAITING_ROWS)]
    found: list[list[int]] = []
    Deferred.fromCoroutine(had(line, "m", devices)).addCallback(found.append)
    asked = []
    while link.asked:
        assert len(link.asked) == 1
        _, key, *texts = link.asked[0][0]
        assert (key, len(texts)) == ("rp:r:m", DEVICES_A_STEP)
        asked += texts
        link.answer([None if number % 2 else "1170" for number in range(len(texts))])
    assert asked == list(map(to_text, devices))
    assert found == [devices[::2]]
