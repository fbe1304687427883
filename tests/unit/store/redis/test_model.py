"""Random calls, by one node or by two in turn, against a store of the simplest kind."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_twisted import ensureDeferred

from ..model import Model
from ..random_calls import DEVICES, EVERYTHING, NAMED, Translation, calls, compare
from .invariants import check
from .opened import settle

nodes = st.integers(0, 1)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.one_of(
            st.tuples(nodes, st.lists(calls, max_size=25)),
            st.tuples(st.none(), st.lists(st.tuples(nodes, calls), max_size=25)),
        ),
        max_size=4,
    )
)
@ensureDeferred
async def test_store_does_what_its_model_does(two, redis, rounds):
    """A node has many calls under way; or the nodes take turns, and see what the other has done."""
    redis.call("FLUSHALL")
    stores = [each.reopened() for each in two]
    devices = [
        await stores[n % 2].open_device("k", "s", f"d{n}" if n < NAMED else None, 0)
        for n in range(DEVICES)
    ]
    translation, model = Translation(each.number for each in devices), Model(range(NAMED))
    for node, some in rounds:
        if node is not None:
            answers = await settle(*(translation.ask(stores[node], *each) for each in some))
            compare(model, translation, some, answers)
            continue
        for whose, (name, arguments) in some:
            answer = await translation.ask(stores[whose], name, arguments)
            compare(model, translation, [(name, arguments)], [answer])
    for store in stores:
        compare(
            model,
            translation,
            EVERYTHING,
            await settle(*(translation.ask(store, *each) for each in EVERYTHING)),
        )
    check(redis)
