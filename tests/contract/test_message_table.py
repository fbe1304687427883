"""Every store takes the steps of the table, and no others."""

import pytest
from pytest_twisted import ensureDeferred

from reward_push.rewards.lifecycle import Event, after
from reward_push.rewards.message import State

from .posted import DUE, END, device, record, scheduled

ENDLESS = {Event.CLAIM_ENDLESS, Event.CLAIM_MISSED}

POSTED = {
    Event.ACCEPT_LATER: lambda: scheduled("m", replace="slot", once=True),
    Event.ACCEPT_NOW: lambda: record("m", replace="slot", once=True),
    Event.ACCEPT_ENDLESS: lambda: record("m", State.DONE, replace="slot", once=True),
}


async def bring(store, state, event) -> None:
    """Have the message ``m`` in ``state``, such that ``event`` could happen to it."""
    if state is State.SCHEDULED:
        endless = {"expires_at_ms": None} if event in ENDLESS else {}
        await store.accept([scheduled("m", replace="slot", once=True, **endless)])
    elif state is State.DONE:
        await store.accept([POSTED[Event.ACCEPT_ENDLESS]()])
    elif state is not None:
        await store.accept([POSTED[Event.ACCEPT_NOW]()])
        if state is State.CANCELLED:
            await store.cancel("m", 1_500)
        elif state is State.EXPIRED:
            await store.expire(END, 10)


async def happen(store, event) -> None:
    """Do what the event names."""
    match event:
        case Event.ACCEPT_LATER | Event.ACCEPT_NOW | Event.ACCEPT_ENDLESS:
            await store.accept([POSTED[event]()])
        case Event.CLAIM | Event.CLAIM_ENDLESS:
            await store.claim(DUE, DUE, 0, 10)
        case Event.CLAIM_LATE:
            await store.claim(END, END, 0, 10)
        case Event.CLAIM_MISSED:
            await store.claim(DUE, DUE, DUE + 1, 10)
        case Event.EXPIRE:
            await store.expire(END, 10)
        case Event.CANCEL:
            await store.cancel("m", 1_600)
        case Event.SUPERSEDE:
            await store.accept([record("newer", replace="slot")])
        case Event.TAKE:
            await store.take("m", await device(store), 1_600)


async def state_of(store) -> State | None:
    found = await store.get("m")
    return None if found is None else found[0].state


@pytest.mark.parametrize("event", list(Event))
@pytest.mark.parametrize("state", [None, *State], ids=str)
@ensureDeferred
async def test_the_store_agrees_with_the_table(store, state, event):
    await bring(store, state, event)
    assert await state_of(store) is state
    await happen(store, event)
    assert await state_of(store) is after(state, event)
