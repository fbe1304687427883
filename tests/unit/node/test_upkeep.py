"""What a node does every now and then."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from reward_push.node.upkeep import Upkeep


class UpkeepTests(SynchronousTestCase):
    """:class:`Upkeep` on a clock of its own."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.upkeep = Upkeep(self.clock)
        self.done: list[str] = []

    def pass_by(self, seconds: int) -> None:
        self.clock.pump([1] * seconds)

    def test_each_work_has_its_own_period_and_begins_after_one(self) -> None:
        self.upkeep.every(2, lambda: self.done.append("a"))
        self.upkeep.every(5, lambda: self.done.append("b"))
        self.pass_by(10)
        assert self.done == []
        self.upkeep.start()
        assert self.done == []
        self.pass_by(5)
        assert self.done == ["a", "a", "b"]

    def test_nothing_is_done_twice_at_once(self) -> None:
        under_way: list[Deferred[None]] = []

        def work() -> Deferred[None]:
            under_way.append(Deferred())
            return under_way[-1]

        self.upkeep.every(1, work)
        self.upkeep.start()
        self.pass_by(5)
        assert len(under_way) == 1
        under_way[0].callback(None)
        self.pass_by(2)
        assert len(under_way) == 2

    def test_failure_is_logged_and_ends_nothing(self) -> None:
        def work() -> None:
            self.done.append("tried")
            raise RuntimeError("broken")

        self.upkeep.every(1, work, at_stop=True)
        self.upkeep.start()
        self.pass_by(3)
        self.successResultOf(self.upkeep.stop())
        assert self.done == ["tried"] * 4
        assert len(self.flushLoggedErrors(RuntimeError)) == 4

    def test_stop_waits_for_what_is_to_be_done_then_and_ends_the_rest(self) -> None:
        last: Deferred[None] = Deferred()
        self.upkeep.every(100, lambda: last, at_stop=True)
        self.upkeep.every(1, lambda: self.done.append("again"))
        self.upkeep.start()
        stopped = self.upkeep.stop()
        self.assertNoResult(stopped)
        last.callback(None)
        self.successResultOf(stopped)
        self.pass_by(3)
        assert self.done == []
        assert self.clock.getDelayedCalls() == []
