"""Random calls of a message store, and how they are put to a store and to its :class:`.model.Model`."""

import attrs
from hypothesis import strategies as st

from reward_push.rewards.interfaces import Level, Receipt
from reward_push.rewards.message import (
    TO_ALL,
    Audience,
    AudienceKind,
    Message,
    MessageRecord,
    State,
)

DEVICES = 5
NAMED = 3
IDS = [f"m{n}" for n in range(7)]
AUDIENCES = [
    TO_ALL,
    Audience(AudienceKind.STREAMER, ("s-1",)),
    Audience(AudienceKind.STREAMERS, ("s-1", "s-2")),
    Audience(AudienceKind.GROUP, ("s-1",)),
]
ROOMS = ["all", "streamer:s-1", "streamer:s-2", "group:s-1"]

ids = st.sampled_from(IDS)
times = st.integers(0, 12)
devices = st.integers(0, DEVICES - 1)
limits = st.integers(1, 4)
namespaces = st.sampled_from(["/", "/dropcodes"])


@st.composite
def records(draw):
    state = draw(st.sampled_from([State.SCHEDULED, State.LIVE, State.DONE]))
    deliver_at_ms = draw(times)
    expires_at_ms = deliver_at_ms + draw(st.integers(1, 8))
    if state is State.DONE or (state is State.SCHEDULED and draw(st.booleans())):
        expires_at_ms = None
    message = Message(
        id=draw(ids),
        namespace=draw(namespaces),
        event="dropcode",
        to=draw(st.sampled_from(AUDIENCES)),
        data="x" * 8,
        created_at_ms=draw(times),
        deliver_at_ms=deliver_at_ms,
        expires_at_ms=expires_at_ms,
        replace=draw(st.sampled_from([None, "r"])),
        once=draw(st.booleans()),
    )
    ended_at_ms = 3 if state is State.DONE else None
    return MessageRecord(message, b"\x01" * 32, state, ended_at_ms=ended_at_ms)


def call(name, *arguments):
    return st.tuples(st.just(name), st.tuples(*arguments))


steps = st.tuples(devices, st.sampled_from(Level), times)
calls = st.one_of(
    call("accept", st.lists(records(), max_size=4)),
    call("accept", st.lists(records(), max_size=4)),
    call("settle", ids, times),
    call("claim", times, times, times, limits),
    call("expire", times, limits),
    call("agenda"),
    call("cancel", ids, times),
    call("take", ids, devices, times),
    call("get", ids),
    call(
        "page",
        st.sampled_from([None, *State]),
        st.sampled_from([None, "s-1", "s-2"]),
        limits,
        st.none(),
    ),
    call("note", st.dictionaries(ids, st.lists(steps, max_size=6), max_size=3)),
    call(
        "missed",
        devices,
        namespaces,
        st.lists(st.sampled_from(ROOMS)),
        times,
        limits,
        st.none() | times,
    ),
    call("had", ids, st.lists(devices, unique=True)),
    call("owed", devices, namespaces),
    call("told", ids, st.lists(devices, max_size=3)),
)

EVERYTHING = [
    ("agenda", ()),
    *(("get", (each,)) for each in IDS),
    *(("had", (each, list(range(DEVICES)))) for each in IDS),
    *(
        (name, (device, namespace, *more))
        for name, more in (("owed", ()), ("missed", (ROOMS, 6, 100, None)))
        for device in range(DEVICES)
        for namespace in ("/", "/dropcodes")
    ),
]
"""Calls that show all there is to see."""


class Translation:
    """What is a number in a store is a place among ``numbers`` for its model."""

    def __init__(self, numbers):
        self._numbers = list(numbers)
        self._places = {number: place for place, number in enumerate(self._numbers)}

    def ask(self, store, name, arguments):
        """Make a call of the model to ``store``."""
        number = self._numbers.__getitem__
        match name, arguments:
            case "take", (message_id, device, now_ms):
                arguments = (message_id, number(device), now_ms)
            case "note", (noted,):
                arguments = (
                    {
                        message_id: [Receipt(number(device), *rest) for device, *rest in some]
                        for message_id, some in noted.items()
                    },
                )
            case "missed", (device, namespace, rooms, now_ms, limit, since_ms):
                arguments = (number(device), namespace, rooms, now_ms, None, limit, since_ms)
            case (("had" | "told"), (message_id, some)):
                arguments = (message_id, [number(each) for each in some])
            case "owed", (device, *rest):
                arguments = (number(device), *rest)
        return getattr(store, name)(*arguments)

    def answer(self, name, answer):
        """Return a store's answer in the words of the model."""
        match name, answer:
            case (("accept" | "claim"), some):
                return [
                    attrs.evolve(each, superseded=tuple(map(self._ended, each.superseded)))
                    for each in some
                ]
            case "expire", some:
                return list(map(self._ended, some))
            case "cancel", (found, ended):
                return found, self._ended(ended)
            case "take", ended:
                return self._ended(ended)
            case "get", (found, receipts):
                return found, sorted((each.level, each.at_ms) for each in receipts)
            case "page", page:
                return [each.message.id for each in page.records], page.cursor is not None
            case "missed", page:
                return page.messages, page.cursor is not None
            case "had", some:
                return sorted(map(self._places.__getitem__, some))
            case "owed", some:
                return sorted(some)
            case "note", late:
                return [(each.message_id, self._places[each.device]) for each in late]
            case _:
                return answer

    def _ended(self, ended):
        if ended is None:
            return None
        found = tuple(sorted(map(self._places.__getitem__, ended.devices)))
        return attrs.evolve(ended, devices=found)


def compare(model, translation, round_of_calls, answers):
    """Raise AssertionError unless the model gives the same answers.

    Which of several calls of ``note`` at once tells who came too late is left open.
    """
    late, expected_late = [], []
    for (name, arguments), answer in zip(round_of_calls, answers, strict=True):
        expected = getattr(model, name)(*arguments)
        translated = translation.answer(name, answer)
        if name == "note":
            late += translated
            expected_late += expected
        else:
            assert translated == expected, (name, arguments)
    assert sorted(late) == sorted(expected_late)
