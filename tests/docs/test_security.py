"""The numbers of docs/security.md are those of the code."""

import importlib

import pytest

from reward_push.settings.table import BY_NAME, SETTINGS

from . import markdown
from .markdown import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text()
LIMITS = {
    cells[0].strip("`"): cells for cells in markdown.rows(TEXT, ("setting", "default", "limits"))
}
SWITCHES = {cells[0].strip("`"): cells for cells in markdown.rows(TEXT, ("setting", "default", ""))}
FIXED = list(markdown.rows(TEXT, ("limit", "is", "in the code")))
NUMBERS = {"seconds", "bytes", "per second/burst", ""}
NO_LIMITS = {"workers"}
"""Numbers that limit nobody."""


def _is_number(text: str | None) -> bool:
    return text is not None and text[:1].isdigit()


def test_every_limit_is_there() -> None:
    """A limit is whatever setting has a number: a new one has to be written down, and why."""
    limits = {
        setting.name
        for setting in SETTINGS
        if setting.kind.unit in NUMBERS and _is_number(setting.default)
    }
    assert set(LIMITS) == limits - NO_LIMITS


@pytest.mark.parametrize("name", [*LIMITS, *SWITCHES])
def test_its_default_is_that_of_the_settings(name: str) -> None:
    """As an operator writes it."""
    cells = LIMITS.get(name) or SWITCHES[name]
    assert cells[1].strip("`") == (BY_NAME[name].default or "none")


def test_each_limit_has_its_reason() -> None:
    """And what it limits."""
    assert LIMITS
    assert [name for name, cells in LIMITS.items() if not (cells[2] and cells[3])] == []


@pytest.mark.parametrize("cells", FIXED, ids=lambda cells: cells[2].strip("`"))
def test_what_has_no_setting_is_as_in_the_code(cells: list[str]) -> None:
    """By its name there."""
    module, _, name = cells[2].strip("`").rpartition(".")
    value = getattr(importlib.import_module(f"reward_push.{module}"), name)
    assert float(cells[1].replace(",", "")) == value


def test_there_are_some() -> None:
    """So that a table that is read no more is noticed."""
    assert len(FIXED) > 20
    assert len(SWITCHES) > 4
