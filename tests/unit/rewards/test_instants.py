"""Instants in and out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_push.rewards.errors import ErrorCode, Refused
from reward_push.rewards.instants import LAST_MS, instant, to_rfc3339

MOMENT_MS = 1_795_550_400_250


@pytest.mark.parametrize(
    ("epoch_ms", "written"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (7, "1970-01-01T00:00:00.007Z"),
        (MOMENT_MS, "2026-11-24T20:00:00.250Z"),
        (LAST_MS, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_written_in_utc_with_milliseconds(epoch_ms, written):
    assert to_rfc3339(epoch_ms) == written


@given(st.integers(0, LAST_MS))
def test_what_is_written_reads_back(epoch_ms):
    assert instant(to_rfc3339(epoch_ms), "f") == epoch_ms


@pytest.mark.parametrize(
    "value",
    [
        MOMENT_MS,
        float(MOMENT_MS),
        "2026-11-24T20:00:00.250Z",
        "2026-11-24T20:00:00.25Z",
        "2026-11-24T20:00:00.250999999Z",
        "2026-11-24t20:00:00.250z",
        "2026-11-24 20:00:00.250Z",
        "2026-11-24T21:30:00.250+01:30",
        "2026-11-24T20:00:00.250-00:00",
        "2026-11-24T09:00:00.250-11:00",
    ],
)
def test_ways_to_name_one_moment(value):
    assert instant(value, "f") == MOMENT_MS


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2026-11-24T20:00:00", "f has no zone: end it with Z or an offset like +01:00"),
        ("2026-11-24T20:00:00.250", "f has no zone: end it with Z or an offset like +01:00"),
        (True, "f must be an RFC 3339 string or epoch milliseconds, not a boolean"),
        (None, "f must be an RFC 3339 string or epoch milliseconds, not null"),
        (["x"], "f must be an RFC 3339 string or epoch milliseconds, not an array"),
        (1.5, "f must be a whole number, not a fraction"),
        (-1, f"f must be from 0 to {LAST_MS}"),
        (LAST_MS + 1, f"f must be from 0 to {LAST_MS}"),
        ("1969-12-31T23:59:59Z", f"f must be from 0 to {LAST_MS}"),
        ("9999-12-31T23:59:59-01:00", f"f must be from 0 to {LAST_MS}"),
    ],
)
def test_what_is_wrong_is_said(value, message):
    with pytest.raises(Refused) as caught:
        instant(value, "f")
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert (caught.value.message, caught.value.field) == (message, "f")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "now",
        "1795550400250",
        "2026-11-24",
        "2026-11-24T20:00Z",
        "20261124T200000Z",
        "2026-W48-2T20:00:00Z",
        "2026-11-24T20:00:00,250Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T20:00:00+0100",
        "2026-11-24T20:00:00Z\n",
        "٢026-11-24T20:00:00Z",
    ],
)
def test_other_forms_of_iso_8601_are_refused(value):
    with pytest.raises(Refused, match="must be an RFC 3339 date and time with its zone"):
        instant(value, "f")


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-29T20:00:00Z",
        "2026-13-01T20:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-11-24T20:00:60Z",
    ],
)
def test_moments_that_do_not_exist_are_refused(value):
    with pytest.raises(Refused, match="f is no moment that exists"):
        instant(value, "f")


@given(st.text(max_size=40))
def test_any_text_is_an_instant_or_refused(value):
    try:
        moment = instant(value, "f")
    except Refused as refused:
        moment = 0 if refused.field == "f" else -1
    assert 0 <= moment <= LAST_MS
