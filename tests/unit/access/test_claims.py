"""What signed tokens may say, and what they stand for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_push.access.claims import Token, read
from reward_push.access.interfaces import KeyKind

NOW_MS = 1_800_000_000_000
NOW_S = NOW_MS // 1000
GOOD: dict[str, Any] = {"sub": "s-42", "exp": NOW_S + 60}


def test_least_that_a_token_says() -> None:
    assert read(GOOD, NOW_MS, 5_000) == Token(
        key_id="jwt:s-42",
        kind=KeyKind.PLUGIN,
        created_at_ms=0,
        streamer="s-42",
        expires_at_ms=NOW_MS + 65_000,
    )


def test_all_that_a_token_says() -> None:
    claims = {
        **GOOD,
        "groups": ["eu", "vip", "eu"],
        "namespaces": ["/dropcodes", "/dropcodes", "/"],
        "device": "living-room",
        "nbf": NOW_S - 1.5,
        "iat": "whatever",
        "iss": ["whoever"],
        "aud": ["them", "reward-push"],
        "other": {"claims": "do not matter"},
    }
    token = read(claims, NOW_MS, 0)
    assert token is not None
    assert (token.groups, token.namespaces) == (("eu", "vip"), ("/dropcodes", "/"))
    assert (token.device, token.expires_at_ms) == ("living-room", NOW_MS + 60_000)
    assert token.rights == frozenset()


def test_tokens_of_a_streamer_are_one_key() -> None:
    """So a device that comes with a fresh token is the same device."""
    tokens = [read({**GOOD, "exp": NOW_S + more}, NOW_MS, 0) for more in (1, 1_000)]
    assert len({each.key_id for each in tokens if each}) == 1


@pytest.mark.parametrize(
    "change",
    [
        *({"sub": value} for value in (None, "", "*", 42, "a b", "é", "x" * 65, ["s"], True)),
        *({"exp": value} for value in (None, "1800000060", True, [], 1e300, -1, NOW_S + 0.0)),
        *({"exp": value} for value in (float("inf"), float("nan"), 253_402_300_800)),
        *({"nbf": value} for value in (None, NOW_S + 1, "0", True)),
        *({"groups": value} for value in (None, "eu", [""], ["a b"], [1], ["g"] * 33, {"eu": 1})),
        *({"namespaces": value} for value in (None, "/a", [], ["a"], [1], ["/" + "x" * 64])),
        {"namespaces": ["/a"] * 101},
        *({"device": value} for value in (None, "", "no name!", 7)),
        *({"aud": value} for value in (None, "", "them", ["them"], [], {"reward-push": 1}, 7)),
    ],
)
def test_claims_that_are_wrong_grant_nothing(change: dict[str, Any]) -> None:
    assert read({**GOOD, **change}, NOW_MS, 0) is None


@pytest.mark.parametrize("missing", ["sub", "exp"])
def test_claims_that_must_be_there(missing: str) -> None:
    assert read({name: GOOD[name] for name in GOOD if name != missing}, NOW_MS, 0) is None


@pytest.mark.parametrize("claims", [None, [], "sub", 7, [GOOD]])
def test_claims_that_are_no_object(claims: object) -> None:
    assert read(claims, NOW_MS, 0) is None


@pytest.mark.parametrize(
    ("exp", "nbf", "leeway_ms", "good"),
    [
        (NOW_S, 0, 0, False),
        (NOW_S + 0.001, 0, 0, True),
        (NOW_S - 5, 0, 5_000, False),
        (NOW_S - 4.999, 0, 5_000, True),
        (NOW_S + 60, NOW_S, 0, True),
        (NOW_S + 60, NOW_S + 5, 5_000, True),
        (NOW_S + 60, NOW_S + 5.001, 5_000, False),
    ],
)
def test_leeway_is_given_on_both_sides(exp: float, nbf: float, leeway_ms: int, good: bool) -> None:
    token = read({**GOOD, "exp": exp, "nbf": nbf}, NOW_MS, leeway_ms)
    assert (token is not None) is good


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["sub", "exp", "nbf", "groups", "namespaces", "device", "aud"]),
                inner,
            )
        ),
    )
)
def test_any_json_is_read_or_grants_nothing(claims: object) -> None:
    token = read(claims, NOW_MS, 0)
    assert token is None or token.expires_at_ms is not None
