"""Devices in SQLite. Everything here runs inside a transaction of the caller.

A device's number is ``counter << 24 | identity``: the identity stands for a key and a streamer, the counter
never comes again. So a device that named none needs no row of its own, and its receipts still tell whose
they are. A named one has a row, to be found by its name.
"""

import sqlite3
from collections.abc import Iterable, Sequence

import attrs

from ...access.interfaces import StoreUnavailable
from ..doorway import Opened, Opening
from . import counters
from .statements import gather_for, write

KEPT = 20
"""Named devices remembered for a key and streamer."""

IDENTITY_BITS = 24
IDENTITY_MASK = (1 << IDENTITY_BITS) - 1

FRESH_MS = 3_600_000
"""The device used last is not written again when that was less long ago."""

_IDENTITIES = """
WITH given (key_id, streamer) AS (VALUES {rows})
SELECT json_array(i.key_id, i.streamer, i.identity) AS found FROM given CROSS JOIN identities AS i
ON i.key_id = given.key_id AND i.streamer = given.streamer
"""

_NEW_IDENTITY = "INSERT INTO identities (key_id, streamer) VALUES {rows}"

_DEVICES = """
SELECT json_array(identity, name, number, used_at_ms) AS found
FROM devices WHERE identity IN (VALUES {rows})
"""

_KEEP = """
INSERT INTO devices (number, identity, name, used_at_ms) VALUES {rows}
ON CONFLICT (number) DO UPDATE SET used_at_ms = excluded.used_at_ms
"""

_FORGET = "DELETE FROM devices WHERE number IN (VALUES {rows})"

_OWE_NOTHING = "DELETE FROM owed WHERE device IN (VALUES {rows})"


@attrs.define
class _Known:
    """A named device."""

    number: int
    used_at_ms: int


def numbered(counter: int, identity: int) -> int:
    """Return a device's number."""
    return counter << IDENTITY_BITS | identity


def open_device(connection: sqlite3.Connection, calls: Sequence[Opening]) -> list[Opened]:
    """Find or make devices; forget the named ones that were not used for longest."""
    identities = _identities(connection, ((call.key_id, call.streamer) for call in calls))
    of_calls = [identities[call.key_id, call.streamer] for call in calls]
    known: dict[int, dict[str, _Known]] = {
        identity: {}
        for identity, call in zip(of_calls, calls, strict=True)
        if call.name is not None
    }
    for identity, name, number, used_at_ms in gather_for(
        connection, _DEVICES, [(identity,) for identity in known]
    ):
        known[identity][name] = _Known(number, used_at_ms)
    wanted = sum(call.counters for call in calls)
    named = [each for each in zip(of_calls, calls, strict=True) if each[1].name is not None]
    if any(call.name not in known[identity] for identity, call in named):
        wanted += len(named)  # One may even be forgotten and come again in this call.
    counter = counters.take(connection, "device", wanted) if wanted else 0
    used: dict[int, tuple[int, int, str, int]] = {}
    forgotten: list[int] = []
    opened: list[Opened] = []
    for identity, call in zip(of_calls, calls, strict=True):
        first, counter = counter, counter + call.counters
        if call.name is None:
            opened.append(Opened(identity, 0, first))
            continue
        devices = known[identity]
        latest = max((each.used_at_ms for each in devices.values()), default=0)
        device = devices.get(call.name)
        if device is None:
            device = devices[call.name] = _Known(numbered(counter, identity), -1)
            counter += 1
        if device.used_at_ms < max(latest, call.now_ms - FRESH_MS):
            # Later than all others even when the clock was put back: this is their order, too.
            device.used_at_ms = max(call.now_ms, latest + 1)
            used[device.number] = (device.number, identity, call.name, device.used_at_ms)
        if len(devices) > KEPT:
            oldest = min(devices, key=lambda name: devices[name].used_at_ms)
            number = devices.pop(oldest).number
            used.pop(number, None)
            forgotten.append(number)
        opened.append(Opened(identity, device.number, first))
    gone = [(number,) for number in forgotten]
    write(connection, _FORGET, gone)
    write(connection, _OWE_NOTHING, gone)
    write(connection, _KEEP, list(used.values()))
    return opened


def _identities(
    connection: sqlite3.Connection, pairs: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Return the identity of each key and streamer; new ones are made."""
    wanted = list(dict.fromkeys(pairs))
    found = _known_identities(connection, wanted)
    new = [pair for pair in wanted if pair not in found]
    if new:
        write(connection, _NEW_IDENTITY, new)
        found |= _known_identities(connection, new)
        if max(found.values()) > IDENTITY_MASK:
            msg = f"more than {IDENTITY_MASK} keys and streamers have connected"
            raise StoreUnavailable(msg)
    return found


def _known_identities(
    connection: sqlite3.Connection, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    rows = gather_for(connection, _IDENTITIES, pairs)
    return {(key_id, streamer): identity for key_id, streamer, identity in rows}
