"""What is said first on a new connection to Redis, before it is of use."""

import re

import attrs

from ..address import Credentials
from .errors import ELSEWHERE, ErrorReply, NotConnected
from .wire import Wire

OLDEST = (6, 2)
"""The oldest version of Redis that is spoken to."""
_FIELD = re.compile(r"^(redis_version|run_id):(\S+)", re.MULTILINE)


@attrs.frozen
class Server:
    """A Redis that has let us in."""

    run_id: str | None
    """Another one each time Redis starts; ``None``: the user has no right to ask (``INFO``)."""
    version: str | None
    changed: bool = False
    """Whether it is another process than that of the connection before."""


async def greet(wire: Wire, credentials: Credentials | None, database: int, name: str) -> Server:
    """Log in, see that this is a master that is ready, and choose the database.

    ``name`` is what ``CLIENT LIST`` shows. What the user may not ask (``NOPERM``) is passed over, but for
    ``SELECT``. Raises :class:`.errors.NotConnected`.
    """
    if credentials is not None:
        await log_in(wire, credentials)
    try:
        await _if_allowed(wire, "PING")
        role = await _if_allowed(wire, "ROLE")
        if role is not None and role[0] != "master":
            what = "a Sentinel" if role[0] == "sentinel" else "a read-only replica"
            raise NotConnected(f"this Redis is {what}")
        server = _server(await _if_allowed(wire, "INFO", "server"))
        await _if_allowed(wire, "CLIENT", "SETNAME", name)
        if database:
            await wire.ask("SELECT", database)
    except ErrorReply as refused:
        reason = ELSEWHERE.get(refused.code, f"Redis refuses: {refused}")
        raise NotConnected(reason) from None
    return server


async def log_in(wire: Wire, credentials: Credentials) -> None:
    """Say who we are. Raises :class:`.errors.NotConnected` when that is refused."""
    user = () if credentials.user is None else (credentials.user,)
    try:
        await wire.ask("AUTH", *user, credentials.password)
    except ErrorReply as refused:
        # Redis repeats the arguments of a command it does not know: nothing of its text is shown.
        if "without any password" in refused.text:
            raise NotConnected("Redis has no password for its default user") from None
        raise NotConnected(f"Redis refuses the user or password ({refused.code})") from None


async def _if_allowed(wire: Wire, *words: str) -> "list[str] | str | None":
    try:
        reply: list[str] | str = await wire.ask(*words)
    except ErrorReply as refused:
        if refused.code == "NOPERM":
            return None
        raise
    return reply


def _server(info: object) -> Server:
    if not isinstance(info, str):
        return Server(None, None)
    fields = dict(_FIELD.findall(info))
    version = fields.get("redis_version")
    if version is not None and _parts(version) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise NotConnected(f"Redis {oldest} or newer is needed; this is {version[:20]}")
    return Server(fields.get("run_id"), version)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", version)[:2])
