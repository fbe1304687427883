"""``redis_url``, read."""

from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_push.cluster.address import Credentials, HostPort, RedisAddress, Tls

ONE = (HostPort("redis.example", 6379),)
WATCH = "sentinel_user=watch&sentinel_password=a%26b"
S1, S2 = HostPort("s1", 26379), HostPort("10.0.0.2", 5000)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://redis.example", RedisAddress(ONE)),
        ("redis://redis.example/", RedisAddress(ONE)),
        ("redis://redis.example/0", RedisAddress(ONE)),
        ("redis://127.0.0.1:7000/15", RedisAddress((HostPort("127.0.0.1", 7000),), database=15)),
        ("redis://[::1]:7000", RedisAddress((HostPort("::1", 7000),))),
        ("redis://[fe80::1]", RedisAddress((HostPort("fe80::1", 6379),))),
        ("redis://:pw@redis.example", RedisAddress(ONE, credentials=Credentials(None, "pw"))),
        ("redis://u:pw@redis.example", RedisAddress(ONE, credentials=Credentials("u", "pw"))),
        ("redis://u:@redis.example", RedisAddress(ONE, credentials=Credentials("u", ""))),
        ("redis://u:a@b:c@redis.example", RedisAddress(ONE, credentials=Credentials("u", "a@b:c"))),
        (
            "redis://%C3%BC%3A:p%40%2F%3F%23%25%20@redis.example/3",
            RedisAddress(ONE, credentials=Credentials("ü:", "p@/?#% "), database=3),
        ),
        ("rediss://redis.example", RedisAddress(ONE, tls=Tls(None))),
        ("rediss://redis.example?ca=/a/b.pem", RedisAddress(ONE, tls=Tls("/a/b.pem"))),
        (
            "rediss://:x@redis.example/2?ca=/a%20b%26.pem",
            RedisAddress(ONE, credentials=Credentials(None, "x"), tls=Tls("/a b&.pem"), database=2),
        ),
        ("redis+sentinel://s1,10.0.0.2:5000/main", RedisAddress((S1, S2), "main")),
        ("redis+sentinel://s1/main/", RedisAddress((S1,), "main")),
        ("redis+sentinel://s1/main/4?tls=false", RedisAddress((S1,), "main", database=4)),
        (
            f"redis+sentinel://u:pw@s1,[::1]/main/4?tls=true&ca=/ca.pem&{WATCH}",
            RedisAddress(
                (S1, HostPort("::1", 26379)),
                "main",
                Credentials("u", "pw"),
                Credentials("watch", "a&b"),
                Tls("/ca.pem"),
                4,
            ),
        ),
        (
            "redis+sentinel://s1/main?sentinel_password=x",
            RedisAddress((S1,), "main", sentinel_credentials=Credentials(None, "x")),
        ),
    ],
)
def test_each_form_is_read(url, address):
    assert RedisAddress.parse(url) == address


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "must begin with redis://, rediss://, redis+sentinel://"),
        ("SECRET", "must begin with"),
        ("http://u:SECRET@host", "must begin with"),
        ("redis:/SECRET", "must begin with"),
        ("redis://", "must have a host"),
        ("redis://u:SECRET@", "must have a host"),
        ("redis://SECRET@host", "a user without a password"),
        ("redis://:@host", "an empty user and password"),
        ("redis://@host", "a user without a password"),
        ("redis://u:SEC/RET@host", "a port from 1 to 65535"),
        ("redis://u:SEC?RET@host", "an option after ? that is unknown"),
        ("redis://u:SEC#RET@host", "write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23"),
        ("redis://u:SEC%RET@host", "a % that begins no percent-encoding"),
        ("redis://u:SECRET%FF@host", "not UTF-8"),
        ("redis://u:SECRET%00@host", "%00"),
        ("redis://u:SEC RET@host", "without spaces"),
        ("redis://u:SECRET@host\n", "control characters"),
        ("redis://u:SECRET@host:0", "a port from 1 to 65535"),
        ("redis://u:SECRET@host:65536", "a port from 1 to 65535"),
        ("redis://u:SECRET@host:x", "a port from 1 to 65535"),
        ("redis://u:SECRET@-host", "must have a host"),
        ("redis://u:SECRET@my_host", "must have a host (A-Z a-z 0-9 - and dots)"),
        ("redis://u:SECRET@my..host", "must have a host"),
        ("redis://u:SECRET@a,b", "must have a host"),
        ("redis://u:SECRET@::1", "an IPv6 address in brackets"),
        ("redis://u:SECRET@host/x", "the number of a database"),
        ("redis://u:SECRET@host/-1", "the number of a database"),
        ("redis://u:SECRET@host/1/2", "the number of a database"),
        ("redis://u:SECRET@host?db=1", "this form has no options"),
        ("redis://u:SECRET@host?ca=/x", "this form has no options"),
        ("rediss://u:SECRET@host?verify=no", "knows only ca"),
        ("rediss://u:SECRET@host?ca", "has an empty ca"),
        ("rediss://u:SECRET@host?ca=/x&ca=/y", "has ca twice"),
        ("redis+sentinel://u:SECRET@s1", "must name the service"),
        ("redis+sentinel://u:SECRET@s1/", "must name the service"),
        ("redis+sentinel://u:SECRET@s1,/main", "must have a host"),
        ("redis+sentinel://u:SECRET@s1/main/x", "the number of a database"),
        ("redis+sentinel://s1/main?tls=yes&sentinel_password=SECRET", "tls=true or tls=false"),
        ("redis+sentinel://u:SECRET@s1/main?ca=/x", "has ca without tls=true"),
        ("redis+sentinel://s1/main?sentinel_user=SECRET", "without sentinel_password"),
        ("redis+sentinel://s1/main?sentinel_password=", "has an empty sentinel_password"),
        ("redis+sentinel://" + ",".join(f"s{i}" for i in range(17)) + "/main", "at most 16"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_without_the_secret(url, says):
    with pytest.raises(ValueError, match=r".") as refused:
        RedisAddress.parse(url)
    text = str(refused.value)
    assert says in text
    assert "\n" not in text
    assert not any(part in text for part in ("SECRET", "SEC", "RET"))
    assert refused.value.__cause__ is None


SECRETS = RedisAddress.parse(
    "redis+sentinel://user:PASSWORD@s1:1,s2:2/main?sentinel_user=w&sentinel_password=OTHERWORD"
)


@pytest.mark.parametrize("text", [repr(SECRETS), str(SECRETS), f"{SECRETS}", f"{[SECRETS]}"])
def test_no_text_of_an_address_holds_a_password(text):
    assert "PASSWORD" not in text
    assert "OTHERWORD" not in text


def test_an_address_is_named_for_logs():
    assert str(RedisAddress.parse("rediss://u:p@[::1]:7000/3")) == "[::1]:7000"
    assert str(SECRETS) == "main of the Sentinels s1:1,s2:2"


@given(st.text(min_size=1).filter(lambda each: "\0" not in each), st.text(min_size=1))
def test_every_encoded_password_comes_back(password, user):
    user = user.replace("\0", "")
    url = f"redis://{quote(user, safe='')}:{quote(password, safe='')}@host"
    assert RedisAddress.parse(url).credentials == Credentials(user or None, password)


@given(st.text())
def test_whatever_it_is_it_is_read_or_refused(text):
    for scheme in ("redis://", "rediss://", "redis+sentinel://", ""):
        with suppress(ValueError):
            assert RedisAddress.parse(scheme + text).hosts
