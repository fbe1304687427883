"""What is over is forgotten, in pieces so small that nobody notices."""

from ..lanes import Lane
from .line import Line
from .scripts import PRUNE, TRIM

NEWS_KEPT_MS = 3_600_000
NEWS_KEPT = 100_000
"""How long news can be healed from, and how many at most."""
TRIMMED_A_STEP = 1_000
PRUNED_A_STEP = 200


async def tidy(line: Line, before_ms: int | None) -> None:
    """Forget news that are too old, or too many, and messages that ended by ``before_ms``, if that is given.

    Raises ``StoreUnavailable``. What was forgotten until then stays so.
    """
    line.probe()
    while await line.run(TRIM, (NEWS_KEPT_MS, NEWS_KEPT, TRIMMED_A_STEP), Lane.DUTIES):
        pass
    while before_ms is not None:
        if not await line.run(PRUNE, (before_ms, PRUNED_A_STEP), Lane.DUTIES):
            break
