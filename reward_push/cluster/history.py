"""What has happened since a piece of news: what a node reads that may have missed some.

Messages without an end are not in it: they are shown at most once, and that moment is over.
"""

import attrs

from .envelope import EndedNews, KeyNews


@attrs.frozen
class BecameLive:
    """A message became live, and still is: sockets in its rooms may have missed it."""

    no: int
    message_id: str
    namespace: str
    rooms: tuple[str, ...]


@attrs.frozen
class History:
    """One page of what has happened, in the order in which it happened."""

    news: tuple[BecameLive | EndedNews | KeyNews, ...]
    complete: bool
    """False: some of what is asked for has been forgotten, and everything has to be healed."""
    more_after: int | None
    """The number to ask on from; ``None``: that was all."""
