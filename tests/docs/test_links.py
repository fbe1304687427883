"""Links lead somewhere, and what is named exists."""

import importlib.util
import re
from pathlib import Path

import pytest

from . import markdown
from .markdown import ROOT

FILES = markdown.files()
_PLACES = ("tests/", "reward_push/", "deploy/", "bench/", "examples/", ".ci/")
_PATH = re.compile(r"[\w./-]+")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_links_lead_somewhere(path: Path) -> None:
    """Relative ones: to files, and to headings of them."""
    broken = []
    for target in markdown.links(path.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        if not there.exists() or (anchor and anchor not in markdown.anchors(there.read_text())):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_files_that_are_named_exist(path: Path) -> None:
    """In code: paths from the project's root, and programs to be run by ``python -m``."""
    text = path.read_text()
    named = [each for each in markdown.code(text) if each.startswith(_PLACES)]
    missing = [each for each in named if _PATH.fullmatch(each) and not (ROOT / each).exists()]
    modules = re.findall(r"python -m ((?:bench|tests)(?:\.\w+)+)", text)
    missing += [each for each in modules if importlib.util.find_spec(each) is None]
    assert missing == []


def test_decisions_are_numbered_and_listed() -> None:
    """Without a gap, and each in the list under its own name."""
    folder = ROOT / "docs" / "decisions"
    files = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    listed = re.findall(
        r"^(\d+)\. \[(.*)\]\((.*)\)$", (folder / "README.md").read_text(), re.MULTILINE
    )
    expected = []
    for number, path in enumerate(files, 1):
        assert path.name.startswith(f"{number:04}-")
        title = path.read_text().partition("\n")[0].removeprefix(f"# {number}. ")
        expected.append((str(number), title, path.name))
    assert listed == expected


def test_the_readme_leads_to_every_page() -> None:
    """Of ``docs/``."""
    linked = {
        target.partition("#")[0] for target in markdown.links((ROOT / "README.md").read_text())
    }
    pages = {_name(path) for path in (ROOT / "docs").glob("*.md")}
    assert pages <= linked


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("[a](b.md) and [c](#d)", ["b.md", "#d"]),
        ("`[a](b.md)`", []),
        ("```\n[a](b.md)\n```\n[c](d.md)", ["d.md"]),
        ("[a]: https://x.example\n", ["https://x.example"]),
    ],
)
def test_links_are_found(text: str, targets: list[str]) -> None:
    """Outside of code."""
    assert markdown.links(text) == targets


def test_anchors_are_githubs() -> None:
    """Lower case, punctuation gone, repeated ones counted."""
    text = "# What `a_b` does, now\n## A [link](x.md)\n## Same\n```\n# code\n```\n## Same\n"
    assert markdown.anchors(text) == {"what-a_b-does-now", "a-link", "same", "same-1"}
