"""A Dockerfile as a list of instructions."""

import json
import re
from pathlib import Path

import attrs

_CONTINUED = re.compile(r"\\\n")


@attrs.frozen
class Instruction:
    """One instruction."""

    name: str
    """In capitals."""
    text: str
    """All behind the name, options included, continued lines joined."""

    @property
    def words(self) -> list[str]:
        """The words of a JSON form, behind any options: ``CMD ["a", "b"]``."""
        found = json.loads(self.text[self.text.index("[") :])
        assert isinstance(found, list)
        return [str(each) for each in found]


def stages(file: Path) -> list[list[Instruction]]:
    """Return the instructions of each stage; each begins with its ``FROM``."""
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    found: list[list[Instruction]] = []
    for line in _CONTINUED.sub(" ", "\n".join(lines)).splitlines():
        name, _, text = line.strip().partition(" ")
        if not name:
            continue
        assert name.isupper(), line
        if name == "FROM":
            found.append([])
        found[-1].append(Instruction(name, text.strip()))
    return found


def only(stage: list[Instruction], name: str) -> Instruction:
    """Return the one instruction of this name."""
    [found] = [each for each in stage if each.name == name]
    return found
