"""What a first start shows its user."""

import os
from pathlib import Path

import pytest

from reward_push.first_keys import base_url, goes_nowhere


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("tcp:8080", "http://127.0.0.1:8080"),
        ("tcp:port=81:interface=0.0.0.0", "http://127.0.0.1:81"),
        ("tcp:8080:interface=127.0.0.2", "http://127.0.0.2:8080"),
        ("tcp6:8080", "http://127.0.0.1:8080"),
        (r"tcp:8080:interface=\:\:1", "http://[::1]:8080"),
        (r"tcp:8080:interface=\:\:", "http://[::1]:8080"),
        ("ssl:443:privateKey=k.pem:certKey=c.pem", "https://127.0.0.1:443"),
        ("haproxy:tcp:9000", "http://127.0.0.1:9000"),
    ],
)
def test_the_url_of_an_endpoint(listen: str, url: str) -> None:
    """Reachable from this machine, as well as the string tells."""
    assert base_url(listen) == url


def test_what_nobody_sees(tmp_path: Path) -> None:
    """A daemon's standard output."""
    with (tmp_path / "seen").open("w") as seen, open(os.devnull, "w") as unseen:
        assert not goes_nowhere(seen)
        assert goes_nowhere(unseen)
    assert goes_nowhere(seen)
    assert goes_nowhere(None)
