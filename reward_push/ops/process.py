"""The process's own numbers, under the names that every Prometheus client library gives them.

prometheus-client has a collector for these. It lists all open files at each scrape, which with 100,000
connections holds the event loop up for a tenth of a second.
"""

import os
import resource
import time
from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_PROC = "/proc"
_START_FIELD = 19
"""Where the start time is in ``/proc/self/stat``, after the process's name (proc(5))."""


class ProcessNumbers(Collector):
    """Reads CPU time, and where there is a ``/proc`` memory, files and the start, too."""

    def __init__(self, proc: str = _PROC) -> None:
        self._self = f"{proc}/self"
        self._began_s = _began_s(proc)

    def collect(self) -> Iterable[Metric]:
        """See ``prometheus_client.registry.Collector``."""
        yield CounterMetricFamily(
            "process_cpu_seconds", "User and system CPU time spent.", value=time.process_time()
        )
        try:
            yield from self._found()
        except OSError:
            return  # Not Linux.

    def _found(self) -> Iterator[Metric]:
        with open(f"{self._self}/statm", encoding="ascii") as file:
            pages = [int(each) * resource.getpagesize() for each in file.read().split()[:2]]
        yield GaugeMetricFamily("process_virtual_memory_bytes", "Virtual memory.", value=pages[0])
        yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory.", value=pages[1])
        yield GaugeMetricFamily("process_open_fds", "Open files.", value=self._open_files())
        yield GaugeMetricFamily(
            "process_max_fds",
            "How many files may be open.",
            value=_limit(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        )
        if self._began_s is not None:
            yield GaugeMetricFamily(
                "process_start_time_seconds",
                "When the process began, in seconds since 1970.",
                value=self._began_s,
            )

    def _open_files(self) -> int:
        folder = f"{self._self}/fd"
        # Linux 6.2 and later tell the number; before, the size was 0.
        return os.stat(folder).st_size or len(os.listdir(folder))


def _limit(value: int) -> float:
    return float("inf") if value == resource.RLIM_INFINITY else value


def _began_s(proc: str) -> float | None:
    """Return when the process began, in seconds since 1970; ``None`` where that is not told."""
    try:
        with open(f"{proc}/self/stat", encoding="utf-8", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[_START_FIELD])
        with open(f"{proc}/stat", encoding="ascii") as file:
            [boot_s] = [int(line.split()[1]) for line in file if line.startswith("btime ")]
    except (OSError, ValueError):
        return None
    return boot_s + ticks / os.sysconf("SC_CLK_TCK")
