"""A real node whose time for the balancer runs faster: see :mod:`.scaled_twistd`."""

import sys
from pathlib import Path

from reward_push.settings import Settings, load
from tests.running_node import RunningNode

LAUNCHER = Path(__file__).with_name("scaled_twistd.py")


def derived(idle_timeout_s: float) -> Settings:
    """Return what a node makes of a balancer's idle timeout when it is told nothing else."""
    return load({}, {"REWARD_PUSH_IDLE_TIMEOUT": f"{idle_timeout_s:g}"})


class ScaledNode(RunningNode):
    """A node that was told only the balancer's idle timeout, with the times that follow scaled by ``factor``.

    Args:
        folder: where its store and its log are kept.
        idle_timeout_s: what it was told, unscaled.
        factor: e.g. 0.1: a minute takes six seconds.
        options: more options of ``reward-push``, as they are.
    """

    def __init__(self, folder: Path, idle_timeout_s: float, factor: float, *options: str) -> None:
        settings = derived(idle_timeout_s)
        times = {
            "--idle-timeout": settings.http.idle_timeout_s,
            "--ping-interval": settings.engine.ping_interval_s,
        }
        scaled = [text for name, time in times.items() for text in (name, f"{time * factor:g}")]
        super().__init__(folder, *scaled, *options)
        self._command[:1] = [sys.executable, str(LAUNCHER), f"{factor:g}"]
