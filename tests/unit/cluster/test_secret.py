"""Where the secret between nodes comes from."""

from reward_push.cluster.secret import SharedSecret


def test_the_setting_is_the_strongest() -> None:
    keys = [SharedSecret("s").key, SharedSecret("s", "p").key, SharedSecret("s", "q").key]
    assert keys == keys[:1] * 3
    assert keys[0] != SharedSecret("t").key


def test_else_it_follows_from_the_password() -> None:
    """It is not the password, nor what the same text would make as a setting."""
    secret = SharedSecret(None, "p")
    assert secret.key == SharedSecret(None, "p").key
    assert secret.key not in (None, b"p", SharedSecret("p").key, SharedSecret(None, "q").key)
    assert secret.offer == ""


def test_else_it_is_what_redis_keeps() -> None:
    """The first node's offer; all have the same key, and each offers it from then on."""
    first, second = SharedSecret(), SharedSecret()
    assert first.key is None
    assert first.offer != second.offer
    kept = first.offer
    for secret in (first, second):
        secret.told(kept)
        assert secret.offer == kept
    assert first.key == second.key is not None


def test_what_redis_says_changes_no_given_secret() -> None:
    secret = SharedSecret("s")
    before = secret.key
    secret.told("something else")
    secret.told("")
    assert (secret.key, secret.offer) == (before, "")


def test_it_does_not_show() -> None:
    secret = SharedSecret("visible")
    assert "visible" not in repr(secret)
    assert repr(secret) == "<SharedSecret>"
