"""``scaled_twistd.py FACTOR twistd's arguments``: twistd, with a node whose fixed margins are a fraction.

A node keeps 10 s between its heartbeat and the balancer's idle timeout, keeps idle connections for 15 s longer,
and asks a late client after 5 s. With these, ten idle periods take ten minutes. Here they are scaled by
the same factor as the settings of the test; everything else is the node as it is.
"""

import sys

from twisted.scripts.twistd import run

from reward_push.engineio import heartbeat
from reward_push.settings import checks
from reward_push.transports import options


def scale(factor: float) -> None:
    """Scale every number of seconds that the balancer's idle timeout decides over, beside settings."""
    checks.IDLE_MARGIN_S *= factor
    heartbeat.OVERDUE_S *= factor
    options.KEEP_ALIVE_MARGIN_S *= factor


if __name__ == "__main__":
    scale(float(sys.argv.pop(1)))
    run()
