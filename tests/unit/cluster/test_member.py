"""A node's record."""

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_push.cluster.member import Member, member_of

MEMBER = Member("a", "i", 3, "10.0.0.1:99", "0.1.0", 1_000, 7, "ok")


def test_a_record_is_read_as_it_was_written() -> None:
    for member in (MEMBER, attrs.evolve(MEMBER, left=True)):
        assert member_of(member.to_json()) == member


def test_what_a_newer_version_says_more_is_passed_over() -> None:
    fields = json.loads(MEMBER.to_json()) | {"colour": "green"}
    assert member_of(json.dumps(fields)) == MEMBER


@pytest.mark.parametrize("name", ["node_id", "instance", "beat", "address", "since_ms", "status"])
@pytest.mark.parametrize("value", [None, True, 1.5, [], {}])
def test_a_member_of_a_wrong_kind_makes_it_none(name: str, value: object) -> None:
    fields = json.loads(MEMBER.to_json()) | {name: value}
    assert member_of(json.dumps(fields)) is None
    del fields[name]
    assert member_of(json.dumps(fields)) is None


@given(st.text() | st.sampled_from(["[" * 100_000, "{}", "[]", "1", "nul", '{"node_id":']))
def test_nothing_else_is_a_record(text: str) -> None:
    assert member_of(text) is None
