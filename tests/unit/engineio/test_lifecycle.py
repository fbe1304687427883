"""The table is the whole truth: every pair of state and event, allowed or refused."""

from itertools import product

import pytest

from reward_push.engineio.lifecycle import TRANSITIONS, Event, IllegalEvent, State, advance


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_each_event_in_each_state(state: State, event: Event) -> None:
    """A row gives the next state; where there is none the event is refused by name."""
    if (state, event) in TRANSITIONS:
        assert advance(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalEvent) as caught:
            advance(state, event)
        assert str(caught.value) == f"{event.name} in {state.name}"
        assert (caught.value.state, caught.value.event) == (state, event)


def test_every_state_but_the_last_can_be_left_and_every_state_but_the_first_reached() -> None:
    """No dead ends, no islands."""
    assert {state for state, _ in TRANSITIONS} == set(State) - {State.CLOSED}
    assert set(TRANSITIONS.values()) == set(State) - {State.OPENING}
