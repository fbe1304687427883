"""What all benches share: percentiles, a process's memory, and how figures are shown."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

Figures = Mapping[str, float | int | str]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def rss_mib(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def show(title: str, figures: Figures) -> None:
    """Print figures as a table, or with ``--json`` as an object."""
    if "--json" in sys.argv:
        print(json.dumps({"title": title, **figures}))
        return
    print(f"\n{title}")
    for name, value in figures.items():
        shown = f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
        print(f"  {name:<44} {shown}")
