"""``counted_twistd.py FILE twistd's arguments``: twistd, with a node that counts its objects when it is asked to.

On SIGUSR2 it collects garbage and writes to FILE, as JSON, how many objects there are of each type that is ours,
and of those by which Twisted keeps connections, timers and what is waited for. The node is as it is otherwise.
"""

import gc
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from twisted.scripts.twistd import run

FOREIGN = (
    "twisted.internet.base.DelayedCall",
    "twisted.internet.defer.Deferred",
    "twisted.internet.tcp.Server",
    "twisted.web.http.HTTPChannel",
    "twisted.web.server.Request",
    "builtins.coroutine",
)


def counts() -> dict[str, int]:
    """Return the number of objects of each type that matters."""
    gc.collect()
    found: Counter[str] = Counter()
    for each in gc.get_objects():
        kind = type(each)
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name in FOREIGN or name.startswith("reward_push."):
            found[name] += 1
    return found


def count_into(file: Path) -> None:
    """Count at each SIGUSR2. The file appears whole."""

    def write(*_: object) -> None:
        made = file.with_suffix(".new")
        made.write_text(json.dumps(counts()))
        os.replace(made, file)

    signal.signal(signal.SIGUSR2, write)


if __name__ == "__main__":
    count_into(Path(sys.argv.pop(1)))
    run()
