"""Random calls, done together in one transaction or alone, against a store of the simplest kind."""

import threading

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_push.rewards.interfaces import Level, Receipt
from reward_push.rewards.message import TO_ALL, Audience, AudienceKind, State
from reward_push.store.lanes import Lane
from reward_push.store.sqlite.store import SQLiteStore

from .invariants import check
from .model import Model
from .samples import Inbox, record

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
    made = record(draw(ids), state=state, ended_at_ms=3 if state is State.DONE else None)
    message = attrs.evolve(
        made.message,
        namespace=draw(namespaces),
        to=draw(st.sampled_from(AUDIENCES)),
        created_at_ms=draw(times),
        deliver_at_ms=deliver_at_ms,
        expires_at_ms=expires_at_ms,
        replace=draw(st.sampled_from([None, "r"])),
        once=draw(st.booleans()),
    )
    return attrs.evolve(made, message=message)


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
    call("missed", devices, namespaces, st.lists(st.sampled_from(ROOMS)), times, limits),
    call("owed", devices, namespaces),
    call("told", devices, st.lists(ids, max_size=3)),
)


class Rig:
    """A store in memory and its model."""

    def __init__(self):
        self.inbox = Inbox()
        self.store = SQLiteStore(
            ":memory:", self.inbox.call_from_thread, lambda: 0, prepare=self._opened
        )
        self.store.start()
        opened = [
            self.inbox.get(self.store.open_device("k", "s", f"d{n}" if n < NAMED else None, 0))
            for n in range(DEVICES)
        ]
        self.numbers = [each.number for each in opened]
        self.model = Model(range(NAMED))
        # What is a number in the store is a place in that list for the model.
        self.places = {number: place for place, number in enumerate(self.numbers)}

    def _opened(self, connection):
        self.connection = connection

    def do_together(self, round_of_calls):
        """Have all done in one transaction; return the answers."""
        gate, entered = threading.Event(), threading.Event()

        def hold(_connection, arguments):
            entered.set()
            assert gate.wait(30)
            return list(arguments)

        held = self.store._writer.submit(hold, None, Lane.DUTIES, writes=False)
        assert entered.wait(30)
        asked = [self._ask(name, arguments) for name, arguments in round_of_calls]
        gate.set()
        return self.inbox.settle(held, *asked)[1:]

    def do_alone(self, round_of_calls):
        """Have each done in a transaction of its own."""
        return [self.inbox.get(self._ask(name, arguments)) for name, arguments in round_of_calls]

    def compare(self, round_of_calls, answers):
        for (name, arguments), answer in zip(round_of_calls, answers, strict=True):
            expected = getattr(self.model, name)(*arguments)
            assert self._in_words_of_the_model(name, answer) == expected, (name, arguments)

    def _ask(self, name, arguments):
        number = self.numbers.__getitem__
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
            case "missed", (device, namespace, rooms, now_ms, limit):
                arguments = (number(device), namespace, rooms, now_ms, None, limit)
            case (("owed" | "told"), (device, *rest)):
                arguments = (number(device), *rest)
        return getattr(self.store, name)(*arguments)

    def _in_words_of_the_model(self, name, answer):
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
            case "owed", some:
                return sorted(some)
            case _:
                return answer

    def _ended(self, ended):
        if ended is None:
            return None
        devices = tuple(sorted(map(self.places.__getitem__, ended.devices)))
        return attrs.evolve(ended, devices=devices)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.lists(calls, max_size=25)), max_size=4))
def test_store_does_what_its_model_does(rounds):
    """Neighbours of one kind share statements; nobody can tell."""
    rig = Rig()
    try:
        for together, round_of_calls in rounds:
            do = rig.do_together if together else rig.do_alone
            rig.compare(round_of_calls, do(round_of_calls))
        everything = [("agenda", ()), *(("get", (each,)) for each in IDS)]
        everything += [
            (name, (device, namespace, *more))
            for name, more in (("owed", ()), ("missed", (ROOMS, 6, 100)))
            for device in range(DEVICES)
            for namespace in ("/", "/dropcodes")
        ]
        rig.compare(everything, rig.do_together(everything))
        check(rig.connection)
    finally:
        rig.inbox.get(rig.store.stop())
