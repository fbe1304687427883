"""What is over is forgotten, in pieces so small that nobody notices."""

from ..lanes import Lane
from .line import Line
from .scripts import PRUNE, TRIM

NEWS_KEPT_MS = 3_600_000
NEWS_KEPT = 100_000
"""How long news can be healed from, and how many at most."""
TRIMMED_A_STEP = 1_000
PRUNED_A_STEP = 200


async def trim_news(line: Line) -> None:
    """Forget news that are too old, or too many."""
    while await line.run(TRIM, (NEWS_KEPT_MS, NEWS_KEPT, TRIMMED_A_STEP), Lane.DUTIES):
        pass


async def prune_messages(line: Line, before_ms: int) -> None:
    """Forget messages that ended by ``before_ms``, and all that belongs to them."""
    while await line.run(PRUNE, (before_ms, PRUNED_A_STEP), Lane.DUTIES):
        pass
