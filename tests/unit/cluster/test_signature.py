"""Who is taken for another node, and who is not."""

import random

import pytest

from reward_push.cluster import signature
from reward_push.cluster.secret import SharedSecret
from reward_push.cluster.signature import WINDOW_MS, Rejection, Sender, Signer, Verifier

REQUEST = (b"GET", b"/websockets/?sid=x", b"1.2.3.4")


class Pair:
    """A sender and a receiver with clocks of their own."""

    def __init__(self) -> None:
        self.sender_ms = self.receiver_ms = 1_000_000
        self.verifier = Verifier(SharedSecret("s"), "b", lambda: self.receiver_ms)
        self.signer = self.sender("1")

    def sender(self, instance: str, secret: str = "s") -> Signer:
        return Signer(SharedSecret(secret), Sender("a", instance), lambda: self.sender_ms)

    def signed(self, signer: Signer | None = None) -> bytes:
        header = (signer or self.signer).sign("b", *REQUEST)
        assert header is not None
        return header

    def check(self, header: bytes | None) -> str | Rejection:
        return self.verifier.check(header, *REQUEST)


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_a_signed_request_is_taken_once(pair: Pair) -> None:
    header = pair.signed()
    assert pair.check(header) == "a"
    assert pair.check(header) is Rejection.REPLAYED
    assert pair.check(pair.signed()) == "a"


def test_the_secret_is_not_on_the_wire(pair: Pair) -> None:
    key = SharedSecret("s").key
    assert key is not None
    assert key.hex().encode() not in pair.signed()
    assert key not in pair.signed()


@pytest.mark.parametrize("part", range(3))
def test_what_is_signed_cannot_be_changed(pair: Pair, part: int) -> None:
    changed = [each + b"x" if index == part else each for index, each in enumerate(REQUEST)]
    assert pair.verifier.check(pair.signed(), *changed) is Rejection.WRONG


def test_every_byte_of_it_counts(pair: Pair) -> None:
    header = pair.signed()
    for at in range(len(header)):
        broken = header[:at] + bytes([header[at] ^ 1]) + header[at + 1 :]
        assert pair.check(broken) in (Rejection.WRONG, Rejection.MALFORMED)
        assert pair.check(header[:at]) in (Rejection.WRONG, Rejection.MALFORMED)
    assert pair.check(header) == "a"


@pytest.mark.parametrize(
    "header", [b"", b" ", b"1 a i 1 1", b"2 a i 1 1 x", b"1 a i -1 1 x", b"1 a i 1 1 x y", b"\xff"]
)
def test_other_shapes(pair: Pair, header: bytes) -> None:
    assert pair.check(header) is Rejection.MALFORMED


def test_none_at_all(pair: Pair) -> None:
    assert pair.check(None) is Rejection.MISSING


def test_for_another_node(pair: Pair) -> None:
    header = pair.signer.sign("c", *REQUEST)
    assert pair.check(header) is Rejection.WRONG


def test_with_another_secret(pair: Pair) -> None:
    assert pair.check(pair.signed(pair.sender("1", "t"))) is Rejection.WRONG


def test_without_any_secret() -> None:
    """Nobody is believed, and nothing is signed, before Redis has told it."""
    untold = SharedSecret()
    assert Signer(untold, Sender("a", "1"), lambda: 0).sign("b", *REQUEST) is None
    pair = Pair()
    verifier = Verifier(untold, "b", lambda: pair.receiver_ms)
    assert verifier.check(pair.signed(), *REQUEST) is Rejection.WRONG


@pytest.mark.parametrize("off_ms", [-WINDOW_MS - 1, WINDOW_MS + 1])
def test_at_another_time(pair: Pair, off_ms: int) -> None:
    header = pair.signed()
    pair.receiver_ms -= off_ms
    assert pair.check(header) is Rejection.STALE
    pair.receiver_ms = pair.sender_ms - off_ms + (1 if off_ms > 0 else -1)
    assert pair.check(header) == "a"


def test_requests_may_overtake_each_other(pair: Pair) -> None:
    headers = [pair.signed() for _ in range(2_000)]
    random.Random(4).shuffle(headers)
    assert {pair.check(each) for each in headers} == {"a"}
    assert {pair.check(each) for each in headers} == {Rejection.REPLAYED}


def test_requests_may_be_lost(pair: Pair) -> None:
    """What is remembered stays bounded: those that are far behind count as having come."""
    lost = pair.signed()
    for _ in range(3 * signature.MAX_MISSING):
        pair.signed()
        assert pair.check(pair.signed()) == "a"
    assert pair.check(lost) is Rejection.REPLAYED
    [heard] = pair.verifier._senders.values()
    assert len(heard.above) <= signature.MAX_MISSING


def test_instances_count_for_themselves(pair: Pair) -> None:
    pair.check(pair.signed())
    assert pair.check(pair.signed(pair.sender("2"))) == "a"


def test_instances_are_forgotten_when_nothing_of_theirs_can_come_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signature, "MAX_SENDERS", 3)
    first = pair.signed()
    assert pair.check(first) == "a"
    for number in range(2, 4):
        assert pair.check(pair.signed(pair.sender(str(number)))) == "a"
    assert pair.check(pair.signed(pair.sender("4"))) is Rejection.CROWDED
    assert pair.check(first) is Rejection.REPLAYED
    pair.sender_ms += 2 * WINDOW_MS + 1
    pair.receiver_ms += 2 * WINDOW_MS + 1
    assert pair.check(pair.signed(pair.sender("4"))) == "a"
    assert pair.check(first) is Rejection.STALE
