"""Keys in the ``Authorization`` header."""

import pytest

from reward_push.access.credentials import from_authorization


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("ApiKey rpk_abc_def", "rpk_abc_def"),
        ("Bearer rpk_abc_def", "rpk_abc_def"),
        ("apikey k", "k"),
        ("BEARER k", "k"),
        ("  ApiKey \t k  ", "k"),
        ("ApiKey two words", "two words"),
        ("Bearer eyJhbGciOi.eyJzdWIi.c2ln", "eyJhbGciOi.eyJzdWIi.c2ln"),
        (None, None),
        ("", None),
        (" ", None),
        ("ApiKey", None),
        ("ApiKey ", None),
        ("ApiKey\tk", None),
        ("rpk_abc_def", None),
        ("Basic dXNlcjpwYXNz", None),
        ("ApiKeys k", None),
        ("ApiKey:k", None),
    ],
)
def test_key_of_a_header(value, key):
    assert from_authorization(value) == key
