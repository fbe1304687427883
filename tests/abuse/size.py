"""How large the attacks are: short in every test run, long where ``REWARD_PUSH_ABUSE=long`` (``tox -e soak``)."""

import os

LONG = os.environ.get("REWARD_PUSH_ABUSE") == "long"

HASTE: tuple[str, ...] = (
    *("--header-timeout=3", "--body-timeout=5", "--slow-timeout=3"),
    *("--connect-timeout=12", "--ban=5"),
)
"""Options of the short form: the same limits, but one does not wait so long for what time brings.

A thousand sessions are opened within the connect time-out, also where that takes long.
"""


def pick(short: int, long: int) -> int:
    """Return the number for the form that is run."""
    return long if LONG else short
