"""Secrets that could be found by trying."""

import pytest

from reward_push.settings import load
from reward_push.settings.short_secrets import short_secrets

REDIS = {"redis_url": "redis://127.0.0.1"}


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, []),
        ({"backend_key": "k" * 15}, ["backend_key"]),
        ({"backend_key": "k" * 16}, []),
        ({"cluster_secret": "k"}, []),
        (REDIS, []),
        ({**REDIS, "cluster_secret": "k" * 16}, []),
        ({**REDIS, "cluster_secret": "k", "backend_key": "k"}, ["backend_key", "cluster_secret"]),
    ],
)
def test_short_secrets_are_named(options: dict[str, str], names: list[str]) -> None:
    assert short_secrets(load(options, {})) == names
