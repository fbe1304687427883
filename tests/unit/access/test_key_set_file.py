"""A key set in a file that changes."""

import os
from pathlib import Path

import pytest
from twisted.logger import globalLogPublisher

from reward_push.access.key_set_file import MAX_BYTES, KeySetFile, read_key_set
from reward_push.access.token_keys import TokenKeys

from ...token_maker import key_set, public_jwk


class Used:
    """Notes which keys it was given."""

    def __init__(self) -> None:
        self.keys: list[TokenKeys] = []

    def replace_keys(self, keys: TokenKeys) -> None:
        self.keys.append(keys)


@pytest.fixture
def logged():
    lines: list[str] = []

    def observe(event):
        if str(event.get("log_namespace", "")).endswith("KeySetFile"):
            lines.append(f"{event['log_level'].name}: {event['log_format'].format(**event)}")

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


class Watched:
    """A key set file and what watches it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "jwks.json"
        self.write(0)
        self.used = Used()
        keys = read_key_set(str(self.path), None)
        self.file = KeySetFile(str(self.path), None, keys, self.used)  # type: ignore[arg-type]

    def write(self, number: int) -> None:
        """Replace it with another, whose key has this number."""
        self.put(key_set(public_jwk("ES256", number, kid=f"k{number}")))

    def put(self, text: str) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, self.path)

    def check(self) -> list[list[str]]:
        """Look at it; return the kids of all key sets that were put to use so far."""
        self.file.check()
        return [sorted(keys.by_kid or ()) for keys in self.used.keys]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_file_that_stays_as_it_was_is_left_alone(watched: Watched, logged: list[str]) -> None:
    for _ in range(3):
        assert watched.check() == []
    watched.write(0)
    assert watched.check() == []
    assert logged == []


def test_changed_file_is_put_to_use(watched: Watched, logged: list[str]) -> None:
    watched.write(1)
    assert watched.check() == [["k1"]]
    assert watched.check() == [["k1"]]
    assert logged == [f"info: jwt_jwks: the keys in {watched.path} are in use"]
    watched.put(key_set(public_jwk("ES256", 1, kid="k1"), public_jwk("ES256", 2, kid="k2")))
    assert watched.check() == [["k1"], ["k1", "k2"]]


def test_change_between_the_start_and_the_first_look_is_seen(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.write(3)
    assert watched.check() == [["k3"]]


@pytest.mark.parametrize("wrong", ["{", "", key_set(public_jwk("RSA1024")), "x" * (MAX_BYTES + 1)])
def test_wrong_file_changes_nothing_and_is_told_once(
    watched: Watched, logged: list[str], wrong: str
) -> None:
    watched.put(wrong)
    for _ in range(3):
        assert watched.check() == []
    [line] = logged
    assert line.startswith(
        f"error: jwt_jwks: {watched.path} is not used, the keys stay as they were: "
    )
    watched.write(1)
    assert watched.check() == [["k1"]]


def test_missing_file_changes_nothing_and_is_told_once(watched: Watched, logged: list[str]) -> None:
    watched.path.unlink()
    for _ in range(3):
        assert watched.check() == []
    assert [line.rpartition(": ")[2] for line in logged] == ["No such file or directory"]
    watched.write(0)
    assert watched.check() == []


def test_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"\Amust be UTF-8 text\Z"):
        read_key_set(str(path), None)
