"""Markdown as far as links and tables go."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NOT_OURS = {"node_modules", "build", "dist"}

_FENCE = re.compile(r"^(```+|~~~+).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"(?<!\\)\]\(([^()\s]+(?:\([^()\s]*\))?)\)")
_DEFINITION = re.compile(r"^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
_LINKED = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def files() -> list[Path]:
    """Every Markdown file of the project, those of installed packages left out."""
    return sorted(
        path
        for path in ROOT.rglob("*.md")
        if not any(
            part in _NOT_OURS or part.startswith(".") or part.endswith(".egg-info")
            for part in path.relative_to(ROOT).parts
        )
    )


def links(text: str) -> list[str]:
    """Where the links of a page lead, those in code left out."""
    prose = _CODE.sub("", _FENCE.sub("", text))
    return [*_LINK.findall(prose), *_DEFINITION.findall(prose)]


def code(text: str) -> list[str]:
    """What stands between single backticks."""
    return [each.strip("`") for each in _CODE.findall(_FENCE.sub("", text))]


def anchors(text: str) -> set[str]:
    """What can stand behind ``#`` in a link to a page, as GitHub makes it of headings."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        plain = _LINKED.sub(r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def rows(text: str, heading: tuple[str, ...]) -> Iterator[list[str]]:
    """The cells of the rows of the tables whose first columns have this ``heading``."""
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("|"):
            inside = False
        elif tuple(cells[: len(heading)]) == heading:
            inside = True
        elif inside and not set(line) <= set("|- :"):
            yield cells
