"""The rooms an audience is reached through: the same names where sockets join and where messages go."""

from .message import Audience, AudienceKind

EVERYBODY = "all"
"""Every authenticated socket of a namespace."""


def streamer_room(streamer: str) -> str:
    """Name the room of a streamer's sockets."""
    return f"streamer:{streamer}"


def group_room(group: str) -> str:
    """Name the room of a group's sockets."""
    return f"group:{group}"


def rooms_of(audience: Audience) -> tuple[str, ...]:
    """Name the rooms that together hold an audience. A socket may be in several of them."""
    match audience.kind:
        case AudienceKind.ALL:
            return (EVERYBODY,)
        case AudienceKind.GROUP:
            return tuple(map(group_room, audience.names))
        case _:
            return tuple(map(streamer_room, audience.names))
