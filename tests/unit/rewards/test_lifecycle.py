"""The table of a message's life."""

import pytest

from reward_push.rewards.lifecycle import ENDED, TRANSITIONS, Event, after
from reward_push.rewards.message import State

from .fakes import claim_event
from .test_message import NOW_MS, message

ACCEPTED = {Event.ACCEPT_LATER, Event.ACCEPT_NOW, Event.ACCEPT_ENDLESS}


def test_every_state_can_be_reached_and_every_event_does_something():
    assert set(TRANSITIONS.values()) == set(State)
    assert {event for _, event in TRANSITIONS} == set(Event)


def test_a_message_is_accepted_once():
    assert {event for state, event in TRANSITIONS if state is None} == ACCEPTED
    for state in State:
        for event in ACCEPTED:
            assert after(state, event) is state


def test_an_end_is_final():
    for state in ENDED:
        for event in Event:
            assert after(state, event) is state


def test_a_message_never_goes_back():
    order = [None, State.SCHEDULED, State.LIVE, *ENDED]
    for (state, _), following in TRANSITIONS.items():
        if state is not following:
            assert order.index(state) < order.index(following)


@pytest.mark.parametrize(
    ("state", "event", "following"),
    [
        (State.SCHEDULED, Event.CLAIM, State.LIVE),
        (State.SCHEDULED, Event.CANCEL, State.CANCELLED),
        (State.LIVE, Event.CANCEL, State.CANCELLED),
        (State.LIVE, Event.SUPERSEDE, State.CANCELLED),
        (State.LIVE, Event.EXPIRE, State.EXPIRED),
        (State.LIVE, Event.TAKE, State.DONE),
        # No rows: nothing happens.
        (State.SCHEDULED, Event.EXPIRE, State.SCHEDULED),
        (State.SCHEDULED, Event.SUPERSEDE, State.SCHEDULED),
        (State.SCHEDULED, Event.TAKE, State.SCHEDULED),
        (State.LIVE, Event.CLAIM, State.LIVE),
        (State.DONE, Event.CANCEL, State.DONE),
        (None, Event.CANCEL, None),
    ],
)
def test_steps(state, event, following):
    assert after(state, event) is following


@pytest.mark.parametrize(
    ("changes", "missed_before", "event"),
    [
        ({"expires_at_ms": NOW_MS + 1}, 0, Event.CLAIM),
        ({"expires_at_ms": NOW_MS + 1}, 1000, Event.CLAIM),
        ({"expires_at_ms": NOW_MS}, 0, Event.CLAIM_LATE),
        ({}, 0, Event.CLAIM_ENDLESS),
        ({"deliver_at_ms": NOW_MS - 5}, -5, Event.CLAIM_ENDLESS),
        ({"deliver_at_ms": NOW_MS - 5}, -4, Event.CLAIM_MISSED),
    ],
)
def test_what_claiming_is(changes, missed_before, event):
    assert claim_event(message(**changes), NOW_MS, NOW_MS + missed_before) is event
