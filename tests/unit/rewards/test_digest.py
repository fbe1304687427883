"""When two JSON values are the same message."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_push.rewards.digest import digest

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"b":[2,{"c":3,"d":4}]}', '{ "b": [2, {"d":4,"c":3}], "a": 1 }'),
        ('{"a":1}', '{"a":1.0}'),
        ('{"a":100}', '{"a":1e2}'),
        ('{"a":0}', '{"a":-0.0}'),
        ('{"a":100000000000000000000}', '{"a":1e20}'),
        ('{"a":0.5}', '{"a":5e-1}'),
        ('{"a":"\\u00e9\\/"}', '{"a":"é/"}'),
        ('{"a":"1.0","b":1.0}', '{"a":"1.0","b":1}'),
    ],
)
def test_equal(one, other):
    assert digest(json.loads(one)) == digest(json.loads(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1}', '{"a":2}'),
        ('{"a":1}', '{"a":true}'),
        ('{"a":1}', '{"a":"1"}'),
        ('{"a":"1.0"}', '{"a":"1"}'),
        ('{"a":0.1}', '{"a":0.10000000000000002}'),
        ('{"a":9007199254740993}', '{"a":9007199254740992}'),
        ("[1,2]", "[2,1]"),
        ('{"a":null}', "{}"),
        ('{"a":"é"}', '{"a":"e\\u0301"}'),
    ],
)
def test_different(one, other):
    assert digest(json.loads(one)) != digest(json.loads(other))


@given(JSON)
def test_writing_and_reading_changes_nothing(value):
    assert digest(json.loads(json.dumps(value))) == digest(value)
    assert len(digest(value)) == 32


@given(st.dictionaries(st.text(), JSON))
def test_the_order_of_keys_does_not_matter(value):
    assert digest(dict(reversed(value.items()))) == digest(value)


def test_what_is_no_json_is_refused():
    with pytest.raises(ValueError, match="Out of range"):
        digest(float("nan"))
