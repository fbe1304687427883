"""Strict reading: what is taken, what is refused, and the place each error names."""

import pytest

from reward_push.rewards.errors import ErrorCode, Refused
from reward_push.rewards.structure import (
    Field,
    boolean,
    identifier,
    integer,
    many,
    one_of,
    structure,
    text,
)

FIELDS = {
    "size": Field(integer(1, 9), required=True),
    "loud": Field(boolean),
    "who": Field(identifier),
}


def refusal(check, value, path="f"):
    with pytest.raises(Refused) as caught:
        check(value, path)
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    return caught.value


def test_an_object_comes_back_with_the_checked_values_of_what_is_there():
    assert structure({"loud": True, "size": 5.0}, FIELDS) == {"size": 5, "loud": True}


@pytest.mark.parametrize(
    ("value", "message", "field"),
    [
        ([], "the body must be an object, not an array", None),
        (None, "the body must be an object, not null", None),
        ("x", "the body must be an object, not a string", None),
        ({}, "size is missing", "size"),
        ({"sise": 1}, 'there is no field "sise": did you mean "size"?', "sise"),
        ({"xyzzy": 1}, 'there is no field "xyzzy"', "xyzzy"),
        ({"size": 1, "loud": 1}, "loud must be true or false, not a number", "loud"),
        ({"size": 0, "loud": 1}, "size must be from 1 to 9", "size"),
    ],
)
def test_the_first_error_is_named(value, message, field):
    with pytest.raises(Refused) as caught:
        structure(value, FIELDS)
    assert (caught.value.message, caught.value.field) == (message, field)
    assert str(caught.value) == message


def test_a_path_leads_to_the_error():
    with pytest.raises(Refused) as caught:
        structure({"size": 1, "mad": 1}, FIELDS, "to.it")
    assert caught.value.field == "to.it.mad"
    with pytest.raises(Refused) as caught:
        structure({}, FIELDS, "to.it")
    assert (caught.value.message, caught.value.field) == ("to.it.size is missing", "to.it.size")
    with pytest.raises(Refused) as caught:
        structure(5, FIELDS, "to.it")
    assert caught.value.message == "to.it must be an object, not a number"


def test_a_long_or_strange_field_name_is_cut_and_escaped():
    with pytest.raises(Refused) as caught:
        structure({"a\n" * 50_000: 1}, FIELDS)
    assert len(caught.value.message) < 200
    assert len(caught.value.field) == 40
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("value", ["a", "Z9._:-", "x" * 64])
def test_identifiers(value):
    assert identifier(value, "f") == value


@pytest.mark.parametrize(
    "value", ["", "x" * 65, "*", "a b", "a\n", "é", "٣", "a/b", None, 5, True, ["a"], {"a": 1}]
)
def test_what_is_no_identifier(value):
    refused = refusal(identifier, value, "to.streamers[3]")
    assert refused.message.startswith(
        "to.streamers[3] must be 1 to 64 of A-Z a-z 0-9 . _ : -, not "
    )
    assert refused.field == "to.streamers[3]"


@pytest.mark.parametrize(("value", "taken"), [(1, 1), (119, 119), (119.0, 119), (-0.0, 0)])
def test_a_number_with_nothing_behind_the_point_is_an_integer(value, taken):
    got = integer(0, 200)(value, "f")
    assert got == taken
    assert type(got) is int


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("5", "f must be a whole number, not a string"),
        (True, "f must be a whole number, not a boolean"),
        (None, "f must be a whole number, not null"),
        (1.5, "f must be a whole number, not a fraction"),
        (-1, "f must be from 0 to 200"),
        (1e300, "f must be from 0 to 200"),
    ],
)
def test_what_is_no_such_integer(value, message):
    assert refusal(integer(0, 200), value).message == message


@pytest.mark.parametrize("value", [1, 0, "true", None])
def test_only_true_and_false_are_booleans(value):
    refusal(boolean, value)


def test_text_has_a_length():
    check = text(1, 3)
    assert check("äöü", "f") == "äöü"
    assert refusal(check, "").message == "f must be 1 to 3 characters long, not 0"
    assert refusal(check, "four").message == "f must be 1 to 3 characters long, not 4"
    assert refusal(check, 4).message == "f must be a string, not a number"


def test_a_choice_suggests_the_nearest():
    check = one_of(("/dropcodes", "/donations"))
    assert check("/donations", "f") == "/donations"
    assert refusal(check, "dropcodes").message == (
        'f must be one of "/dropcodes", "/donations", not "dropcodes": did you mean "/dropcodes"?'
    )
    assert refusal(check, ["/dropcodes"]).message == (
        'f must be one of "/dropcodes", "/donations", not an array'
    )


def test_an_item_that_comes_twice_counts_once_and_order_stays():
    assert many(identifier, 1, 3)(["b", "a", "b"], "f") == ("b", "a")


@pytest.mark.parametrize(
    ("value", "message", "field"),
    [
        ("ab", "f must be an array, not a string", "f"),
        ([], "f must have 1 to 3 items, not 0", "f"),
        (list("aaaa"), "f must have 1 to 3 items, not 4", "f"),
        (["a", "b", 7], "f[2] must be 1 to 64 of A-Z a-z 0-9 . _ : -, not a number", "f[2]"),
    ],
)
def test_an_array_names_the_item_that_is_wrong(value, message, field):
    refused = refusal(many(identifier, 1, 3), value)
    assert (refused.message, refused.field) == (message, field)
