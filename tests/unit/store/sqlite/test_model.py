"""Random calls, done together in one transaction or alone, against a store of the simplest kind."""

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from reward_push.store.lanes import Lane
from reward_push.store.sqlite.store import SQLiteStore

from ..model import Model
from ..random_calls import DEVICES, EVERYTHING, NAMED, Translation, calls, compare
from .invariants import check
from .samples import Inbox


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
        self.translation = Translation(each.number for each in opened)
        self.model = Model(range(NAMED))

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
        asked = [self.translation.ask(self.store, *each) for each in round_of_calls]
        gate.set()
        return self.inbox.settle(held, *asked)[1:]

    def do_alone(self, round_of_calls):
        """Have each done in a transaction of its own."""
        return [self.inbox.get(self.translation.ask(self.store, *each)) for each in round_of_calls]

    def compare(self, round_of_calls, answers):
        compare(self.model, self.translation, round_of_calls, answers)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.lists(calls, max_size=25)), max_size=4))
def test_store_does_what_its_model_does(rounds):
    """Neighbours of one kind share statements; nobody can tell."""
    rig = Rig()
    try:
        for together, round_of_calls in rounds:
            do = rig.do_together if together else rig.do_alone
            rig.compare(round_of_calls, do(round_of_calls))
        rig.compare(EVERYTHING, rig.do_together(EVERYTHING))
        check(rig.connection)
    finally:
        rig.inbox.get(rig.store.stop())
