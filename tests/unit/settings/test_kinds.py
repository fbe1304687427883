"""Kinds of values: what each accepts as text and from TOML, and what it refuses."""

import datetime
import math

import pytest

from reward_push.settings import kinds
from reward_push.settings.kinds import Kind, Rate
from reward_push.settings.model import LogFormat

SECONDS = kinds.seconds(0.5)
LIST = kinds.texts(str.upper, tuple)
KINDS = [
    SECONDS,
    kinds.size(),
    kinds.count(),
    kinds.rate(),
    kinds.boolean(),
    kinds.text(str),
    kinds.choice(LogFormat),
    LIST,
]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (SECONDS, "25", 25.0),
        (SECONDS, "0.5", 0.5),
        (SECONDS, "1000000000", 1e9),
        (kinds.seconds(), "0", 0.0),
        (kinds.size(), "1024", 1024),
        (kinds.size(), "64KiB", 65536),
        (kinds.size(), "1MiB", 1 << 20),
        (kinds.size(), "1GiB", 1 << 30),
        (kinds.size(), "0", 0),
        (kinds.count(1), "1", 1),
        (kinds.rate(), "20/40", Rate(20.0, 40.0)),
        (kinds.rate(), "0.5/1", Rate(0.5, 1.0)),
        (kinds.rate(), "0", None),
        (kinds.boolean(), "true", True),
        (kinds.boolean(), "YES", True),
        (kinds.boolean(), "on", True),
        (kinds.boolean(), "1", True),
        (kinds.boolean(), "false", False),
        (kinds.boolean(), "No", False),
        (kinds.boolean(), "off", False),
        (kinds.boolean(), "0", False),
        (kinds.choice(LogFormat), "json", LogFormat.JSON),
        (LIST, "a, b,c", ("A", "B", "C")),
        (LIST, "", ()),
    ],
)
def test_text(kind: Kind, text: str, value: object) -> None:
    result = kind.of_text(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (SECONDS, 25, 25.0),
        (SECONDS, 0.5, 0.5),
        (kinds.size(), 1024, 1024),
        (kinds.size(), "64KiB", 65536),
        (kinds.count(), 7, 7),
        (kinds.rate(), "20/40", Rate(20.0, 40.0)),
        (kinds.rate(), 0, None),
        (kinds.boolean(), False, False),
        (kinds.text(str.upper), "a,b", "A,B"),
        (LIST, ["a,b", "c"], ("A,B", "C")),
        (kinds.texts(str, tuple, lone=True), "a,b", ("a,b",)),
    ],
)
def test_toml(kind: Kind, raw: object, value: object) -> None:
    result = kind.of_toml(raw)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(
            (SECONDS, each)
            for each in ("", " 25", "25s", "nan", "inf", "-1", "1e3", "1_0", "+5", "٣")
        ),
        (SECONDS, "0.49"),
        (SECONDS, "1000000001"),
        (SECONDS, "9" * 5000),
        *((kinds.size(), each) for each in ("", "1kb", "1KB", "1.5MiB", "-1", "KiB", "2GiB")),
        (kinds.size(), str((1 << 30) + 1)),
        *((kinds.count(1), each) for each in ("", "0", "1.0", "-1", "x", "1000000001")),
        *(
            (kinds.rate(), each)
            for each in ("", "20", "20/", "/40", "1/2/3", "0/40", "20/0.5", "a/b")
        ),
        *((kinds.boolean(), each) for each in ("", "2", "y", "truee")),
        (kinds.choice(LogFormat), "xml"),
        (LIST, "a,A"),
        (LIST, ",".join(map(str, range(101)))),
    ],
)
def test_refused_text(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        kind.of_text(text)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        *((SECONDS, each) for each in ("25", True, math.nan, math.inf, -1, 10**400)),
        *((kinds.size(), each) for each in ("1024", 1024.0, True, -1, 10**400)),
        *((kinds.count(), each) for each in ("1", 1.0, True, -1)),
        *((kinds.rate(), each) for each in (20, -1, 0.0, True, "20", 10**400)),
        *((kinds.boolean(), each) for each in ("true", 0, 1)),
        *((kinds.text(str), each) for each in (1, True)),
        *((LIST, each) for each in ("a", "a,b", ["a", 1], ["a", "A"], ["a"] * 101)),
        (kinds.texts(str, tuple, lone=True), 5),
    ],
)
def test_refused_toml(kind: Kind, raw: object) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        kind.of_toml(raw)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("raw", [{}, {"a": 1}, [[]], [{}], datetime.date(2026, 11, 24)])
def test_no_kind_takes_tables_nested_arrays_or_dates(kind: Kind, raw: object) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        kind.of_toml(raw)


def test_a_rule_never_shows_the_value() -> None:
    for kind in KINDS:
        if kind.unit != "":
            with pytest.raises(ValueError, match=r"^(?!.*s3cr3t)"):
                kind.of_text("s3cr3t,s3cr3t")
