"""What Redis says no with."""

import pytest

from reward_push.cluster.connection.errors import ErrorReply

READONLY = "READONLY You can't write against a read only replica."
IN_REDIS_6 = "ERR Error running script (call to f_0a1b): @user_script:1: "


@pytest.mark.parametrize(
    ("said", "code", "text"),
    [
        ("ERR unknown command", "ERR", "ERR unknown command"),
        (READONLY, "READONLY", READONLY),
        # In a script, Redis 7 and Redis 6.
        (f"{READONLY} script: 0a1b, on @user_script:1.", "READONLY", None),
        (
            f"{IN_REDIS_6}@user_script: 1: -READONLY You can't write against a read only replica. ",
            "READONLY",
            READONLY,
        ),
        (
            f"{IN_REDIS_6}@user_script: 7: -OOM command not allowed when used memory > 'maxmemory'.",
            "OOM",
            "OOM command not allowed when used memory > 'maxmemory'.",
        ),
        (
            f"{IN_REDIS_6}user_script:1: attempt to index a nil value",
            "ERR",
            None,
        ),
        ("NOSCRIPT No matching script. Please use EVAL.", "NOSCRIPT", None),
        ("said in lower case", "ERR", "said in lower case"),
        ("", "ERR", ""),
        ("ERR two\r\nlines", "ERR", "ERR two lines"),
        ("ERR " + "x" * 5_000, "ERR", "ERR " + "x" * 196),
    ],
)
def test_the_code_is_found(said, code, text):
    reply = ErrorReply.of(said)
    assert reply.code == code
    if text is not None:
        assert str(reply) == text
