"""Names: ids of messages, and of streamers, groups and devices."""

import re

NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)

NAME_RULE = "1 to 64 of A-Z a-z 0-9 . _ : -"
"""The rule in words."""


def is_name(text: str) -> bool:
    """Tell whether ``text`` is a name."""
    return NAME.fullmatch(text) is not None
