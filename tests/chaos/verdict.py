"""Whether what happened is what was promised.

The promises (a message with an end, devices with names):

* lost: an accepted message is written to each device that is, or comes, online before its end;
* again: never to a device once a ``delivered`` or ``acked`` receipt of it is committed;
* late: never after its end;
* once: one device is recorded; every other one that is known to have it was sent ``revoke``, "taken".
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from .faults import Window
from .ledger import Accepted, Hearing, Ledger

CLOCKS_MS = 50
"""How far a node's word for a moment may be from this process's: it asks Redis for the time, over a network."""
CALM_MS = 1_500
"""So long a device has to be connected, with nothing broken, to have surely got a short message."""
AFTER_MS = 1_000
"""So long after something was mended it still counts as broken."""
ON_THE_WAY_MS = 2_000
"""The longest from a node's write to the client's word: busy cores, a balancer, maybe another node on the way.

What was written in time may so be heard a little late. That is counted, too.
"""


@attrs.frozen
class Verdict:
    """What is wrong, each as a line of text, and what was counted."""

    lost: Sequence[str]
    again: Sequence[str]
    late: Sequence[str]
    once: Sequence[str]
    other: Sequence[str]
    counts: Mapping[str, object]

    @property
    def wrong(self) -> list[str]:
        """All of it."""
        return [*self.lost, *self.again, *self.late, *self.once, *self.other]


def judge(
    ledger: Ledger,
    windows: Sequence[Window],
    states: Mapping[str, Any],
    end_ms: float,
    pauses: Sequence[tuple[float, float]] = (),
) -> Verdict:
    """Judge a run that ended at ``end_ms``, when all had been mended and waited for.

    ``pauses`` are when the whole machine stood still: nobody's fault, and as bad as if everything were broken.
    """
    troubled = [(each.begin_ms, each.mended_ms + AFTER_MS) for each in windows]
    troubled += [(begin_ms, over_ms + AFTER_MS) for begin_ms, over_ms in pauses]
    lost, excused = _lost(ledger, troubled, end_ms)
    frozen = [(each.begin_ms, each.mended_ms) for each in windows if each.fault.node is not None]
    late, on_the_way = _late(ledger, [*frozen, *pauses])
    once, forgotten, unheard = _once(ledger, states)
    repeats = sum(count - 1 for count in ledger.heard.values())
    return Verdict(
        lost=lost,
        again=_again(ledger),
        late=late,
        once=once,
        other=_other(ledger),
        counts={
            "accepted": len(ledger.accepted),
            "over before any node could be told": len(ledger.too_late),
            "answers to posts": dict(sorted(ledger.answers.items())),
            "heard": len(ledger.hearings),
            "receipts seen committed in the run": len(ledger.committed),
            "pauses of the whole machine": len(pauses),
            "lost": len(lost),
            "short, not heard while something was broken": excused,
            "written again after a committed receipt": len(_again(ledger)),
            "other repeats": repeats - len(_again(ledger)),
            "written after its end, or heard long after it": len(late),
            "written before its end, on the way when it came": on_the_way,
            "longest from a node's write to the client's word, nothing broken (ms)": _slowest_ms(
                ledger, troubled
            ),
            "for one only": sum(a.posting.once for a in ledger.accepted.values()),
            "not exactly one device, or another not told": len(once),
            "for one only, heard, but forgotten in a crash": forgotten,
            "for one only, written to a connection that was dead": unheard,
            "connections": sum(len(each.spans) for each in ledger.presence.values()),
        },
    )


def _lost(
    ledger: Ledger, troubled: Sequence[tuple[float, float]], end_ms: float
) -> tuple[list[str], int]:
    lost, excused = [], 0
    for accepted, device in ledger.unheard():
        begin_ms = max(accepted.deliver_ms, accepted.answered_ms)
        until_ms = min(accepted.expires_ms, end_ms)
        if accepted.posting.once:
            lost.append(f"{accepted.posting.id} for one only: nobody has heard it")
            continue
        spans = ledger.presence[device].spans
        if any(
            _calm_ms(max(begin_ms, span[0]), min([until_ms, *span[1:]]), troubled) >= CALM_MS
            for span in spans
        ):
            lost.append(f"{device} has not heard {accepted}; it was online {spans}")
        else:
            excused += 1
    return sorted(set(lost)), excused


def _calm_ms(begin_ms: float, end_ms: float, troubled: Iterable[tuple[float, float]]) -> float:
    """Return the longest time between two moments in which nothing was broken."""
    longest, at_ms = 0.0, begin_ms
    for broken_ms, mended_ms in sorted(troubled):
        longest = max(longest, min(broken_ms, end_ms) - at_ms)
        at_ms = max(at_ms, mended_ms)
    return max(longest, end_ms - at_ms)


def _again(ledger: Ledger) -> list[str]:
    """What a node wrote after somebody had been shown the receipt."""
    wrong = []
    for each in ledger.hearings:
        seen_ms = ledger.committed.get((each.message_id, each.device))
        if seen_ms is not None and each.sent_ms > seen_ms + CLOCKS_MS:
            wrong.append(f"again, {each.sent_ms - seen_ms:.0f} ms after its receipt: {each}")
    return wrong


def _late(ledger: Ledger, frozen: Sequence[tuple[float, float]]) -> tuple[list[str], int]:
    wrong, on_the_way = [], 0
    for each in ledger.hearings:
        accepted = ledger.accepted.get(each.message_id)
        if accepted is None:
            continue
        wrong += _wrong_times(each, accepted)
        if each.heard_ms > accepted.expires_ms:
            took_ms = each.heard_ms - each.sent_ms
            if took_ms <= ON_THE_WAY_MS or any(_froze(window, each) for window in frozen):
                on_the_way += 1
            else:
                wrong.append(f"heard after its end: {each}, {accepted}")
    return wrong, on_the_way


def _slowest_ms(ledger: Ledger, troubled: Sequence[tuple[float, float]]) -> int:
    calm = [
        each.heard_ms - each.sent_ms
        for each in ledger.hearings
        if not any(begin < each.heard_ms and each.sent_ms < end for begin, end in troubled)
    ]
    return round(max(calm, default=0))


def _froze(window: tuple[float, float], hearing: Hearing) -> bool:
    """Whether a node, its own or one that passes on, may have been frozen between writing and hearing."""
    begin_ms, mended_ms = window
    return begin_ms < hearing.heard_ms and hearing.sent_ms < mended_ms


def _wrong_times(hearing: Hearing, accepted: Accepted) -> list[str]:
    wrong = []
    # What is posted for now is due by the clock of the node that took it; another's may be a little behind.
    early_ms = 0 if accepted.posting.body.get("delay_ms") else CLOCKS_MS
    if hearing.sent_ms < accepted.deliver_ms - early_ms:
        wrong.append(f"early: {hearing}, {accepted}")
    left_ms = accepted.expires_ms - hearing.sent_ms
    if left_ms <= 0:
        wrong.append(f"written after its end: {hearing}, {accepted}")
    if hearing.ttl_ms != left_ms:
        wrong.append(f"{left_ms} ms were left: {hearing}")
    if hearing.sent_ms > hearing.heard_ms + CLOCKS_MS:
        wrong.append(f"heard before it was written: {hearing}")
    return wrong


def _once(ledger: Ledger, states: Mapping[str, Any]) -> tuple[list[str], int, int]:
    wrong, forgotten, unheard = [], 0, 0
    for accepted in ledger.accepted.values():
        posting = accepted.posting
        if not posting.once:
            continue
        state = states[posting.id]
        rows = {row["device"]: row["state"] for row in state["devices"]}
        winners = [device for device, level in rows.items() if level == "acked"]
        if len(winners) != 1 or state["state"] != "done":
            wrong.append(f"{posting.id} is {state['state']}, had by {winners}")
            continue
        for device in posting.devices:
            told = ledger.revokes.get((posting.id, device), [])
            if device in winners:
                if told:
                    wrong.append(f"{posting.id}: {device} has it and was told {told}")
            elif not told and device in rows and (posting.id, device) not in ledger.heard:
                unheard += 1
            elif device in rows and "taken" not in told:
                wrong.append(f"{posting.id}: {device} was not told that it is taken, but {told}")
            elif device not in rows and (posting.id, device) in ledger.heard and not told:
                forgotten += 1
    return wrong, forgotten, unheard


def _other(ledger: Ledger) -> list[str]:
    wrong = [f"refused for ever: {each}" for each in ledger.refused]
    for each in ledger.hearings:
        accepted = ledger.accepted.get(each.message_id)
        if accepted is None:
            wrong.append(f"heard, though never accepted: {each}")
        elif each.device not in accepted.posting.devices:
            wrong.append(f"to a device it is not for: {each}")
    return wrong


def table(counts: Mapping[str, object]) -> str:
    """Write the counts, one a line."""
    width = max(map(len, counts))
    lines = []
    for name, value in counts.items():
        if isinstance(value, Counter | dict):
            value = ", ".join(f"{key}: {count}" for key, count in value.items())
        lines.append(f"  {name:{width}}  {value}")
    return "\n".join(lines)
