"""Nothing that a node runs on is known to be vulnerable, neither as installed nor as ``setup.cfg`` allows it."""

import configparser
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
ADVISORIES = tomllib.loads((Path(__file__).parent / "advisories.toml").read_text())["advisory"]


def runtime_names() -> set[str]:
    """What is installed because reward-push needs it, through all levels."""
    found: set[str] = set()
    waiting = ["reward-push"]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            needed = [Requirement(each) for each in requires(name) or ()]
        except PackageNotFoundError:
            continue
        found.add(name)
        extras = ("", "tls", "fast") if name in ("twisted", "reward-push") else ("",)
        waiting += [
            each.name
            for each in needed
            if each.marker is None or any(each.marker.evaluate({"extra": e}) for e in extras)
        ]
    return found


def floors() -> Iterator[Requirement]:
    """The direct requirements."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    for line in parser["options"]["install_requires"].splitlines():
        if re.match(r"[A-Za-z]", line):
            yield Requirement(line)


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda advisory: advisory["id"])
def test_what_is_installed_is_not_affected(advisory: dict[str, str]) -> None:
    if canonicalize_name(advisory["package"]) in runtime_names():
        installed = version(advisory["package"])
        assert not SpecifierSet(advisory["affected"]).contains(installed), advisory["about"]


def test_the_tree_is_looked_through() -> None:
    """Else the test above would look at nothing."""
    assert {
        "twisted",
        "autobahn",
        "attrs",
        "txredisapi",
        "pyjwt",
        "cryptography",
    } <= runtime_names()


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda advisory: advisory["id"])
def test_no_affected_version_of_a_direct_requirement_is_allowed(advisory: dict[str, str]) -> None:
    affected = SpecifierSet(advisory["affected"])
    for requirement in floors():
        if canonicalize_name(requirement.name) == advisory["package"]:
            [floor] = [each.version for each in requirement.specifier if each.operator == ">="]
            assert not affected.contains(floor), advisory["about"]
