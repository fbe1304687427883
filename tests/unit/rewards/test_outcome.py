"""What becomes of posted messages, in words."""

import pytest

from reward_push.rewards.errors import ErrorCode, Refused
from reward_push.rewards.message import MessageRecord, State
from reward_push.rewards.outcome import Accepted, Outcome, no_message, unavailable, word_of

from .test_message import message

FRESH = {State.SCHEDULED: "scheduled", State.LIVE: "live", State.DONE: "live"}


def record(state: State) -> MessageRecord:
    return MessageRecord(message(), b"", state)


@pytest.mark.parametrize("state", FRESH)
def test_the_word_of_what_is_kept(state: State) -> None:
    assert word_of(Accepted(record(state), fresh=True)) == FRESH[state]
    assert word_of(Accepted(record(state), fresh=False)) == "repeated"


@pytest.mark.parametrize(
    ("refused", "word"),
    [
        (Refused(ErrorCode.CONFLICT, "no"), "conflict"),
        (unavailable(), "unavailable"),
        (no_message("m"), "not_found"),
    ],
)
def test_the_word_of_a_refusal_is_its_code(refused: Outcome, word: str) -> None:
    assert word_of(refused) == word


def test_refusals_of_the_store_share_nothing() -> None:
    """Raised again and again, one would keep every place that it was raised at."""
    assert unavailable() is not unavailable()
