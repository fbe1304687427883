"""How many files, sockets among them, the process may have open.

Most systems start processes with far fewer than they let them have. A node that cannot accept any more is
deaf to everybody, its balancer's health checks included.
"""

import resource

from twisted.logger import Logger

SPARE = 1_000
"""For the store, the log, connections between nodes, and clients that come and go."""


_log = Logger()


def allow_open_files(connections: int) -> int:
    """Allow as many open files as ``connections`` need (0: as many as can be had), as far as that is up to us.

    A client that polls has a socket for its poll and one for its POST. Returns how many are allowed now;
    fewer than there may be ``connections`` are told in the log.
    """
    allowed = _allow(2 * connections + SPARE if connections else 0)
    if allowed < connections:
        _log.warn(
            "max_connections is {connections}, but only {allowed} files may be open (ulimit -n)",
            connections=connections,
            allowed=allowed,
        )
    return allowed


def _allow(wanted: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = wanted or _known(hard, soft)
    if _known(soft, wanted) >= wanted:
        return soft if soft != resource.RLIM_INFINITY else wanted
    if _known(hard, wanted) < wanted and _set(wanted, wanted):
        return wanted
    most = min(wanted, _known(hard, wanted))
    return most if _set(most, hard) else soft


def _known(limit: int, otherwise: int) -> int:
    return otherwise if limit == resource.RLIM_INFINITY else limit


def _set(soft: int, hard: int) -> bool:
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except (ValueError, OSError):
        return False
    return True
