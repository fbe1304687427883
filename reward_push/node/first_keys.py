"""The keys of a node's first start, so that two commands are enough to see it work."""

import os
import sys
from collections.abc import Sequence
from typing import Protocol, TextIO

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..access.interfaces import KeyKind, Right, StoredKey
from ..access.key_text import new_key
from ..errors import StartError
from ..settings.model import Settings

STREAMER = "demo"

_log = Logger()

_TEXT = """
reward-push has made its first two keys. They are shown this once; the store keeps only their hashes.

  backend key: {backend}
  plugin key:  {plugin}   (streamer "demo")

Connect a client (npm install socket.io-client):

  node -e '
    const {{ io }} = require("socket.io-client");
    const socket = io("{base}{namespace}", {{ path: "{path}", auth: {{ apiKey: "{plugin}" }} }});
    socket.on("connect", () => console.log("connected"));
    socket.on("connect_error", (error) => console.log(error.message));
    socket.on("dropcode", (message, ack) => {{ console.log(message); ack(); }});'

Then post a code to it:

  curl {api}/v1/messages -H "Authorization: ApiKey {backend}" \\
    -d '{{"namespace":"{namespace}","event":"dropcode","to":{{"streamer":"demo"}},"data":{{"code":"K7Q-PLX"}}}}'

"""


@attrs.frozen
class FirstKeys:
    """One backend key with every right and one plugin key for the streamer ``demo``."""

    stored: tuple[StoredKey, StoredKey]
    backend: str = attrs.field(repr=False)
    plugin: str = attrs.field(repr=False)

    @classmethod
    def make(cls, now_ms: int) -> "FirstKeys":
        """Make both; they count once they are stored."""
        backend, backend_text = new_key(KeyKind.BACKEND, now_ms, name="first", rights=Right)
        plugin, plugin_text = new_key(KeyKind.PLUGIN, now_ms, name="first", streamer=STREAMER)
        return cls((backend, plugin), backend_text, plugin_text)

    def show(self, settings: Settings) -> None:
        """Print both to the terminal, with a client and a call that are ready to be pasted.

        To the real standard output: ``sys.stdout`` may be the log, where no key belongs. Raises
        :class:`..errors.StartError` when there is nobody to show them to.
        """
        text = _TEXT.format(
            backend=self.backend,
            plugin=self.plugin,
            base=base_url(settings.listen[0]),
            api=base_url((settings.internal_listen or settings.listen)[0]),
            path=settings.path,
            namespace=next((name for name in settings.namespaces if name != "/"), "/"),
        )
        terminal = sys.__stdout__
        if terminal is None:
            raise StartError("the first keys cannot be shown (no standard output): set backend_key")
        try:
            # Through a file object of its own: what cannot be written must not be tried again at exit.
            with open(terminal.fileno(), "w", encoding="utf-8", closefd=False) as shown:
                shown.write(text)
        except OSError as error:
            raise StartError(
                f"the first keys cannot be shown ({error}): set backend_key"
            ) from error


class SharedKeys(Protocol):
    """Where several nodes keep their keys."""

    def add_first_keys(self, stored: Sequence[StoredKey]) -> "Deferred[bool]":
        """Add ``stored`` unless there is any key; return whether that was done. Of several nodes one does it."""


async def offer_first_keys(store: SharedKeys, settings: Settings, now_ms: int) -> None:
    """Make the first keys, and show them, where there is none and none is configured.

    Raises ``StoreUnavailable``.
    """
    if settings.backend_key is not None:
        return
    if goes_nowhere(sys.__stdout__):
        # A daemon: keys that nobody sees would be lost for ever.
        _log.warn(
            "if there is no key in Redis yet: set backend_key, or start one node with twistd -n"
        )
        return
    first = FirstKeys.make(now_ms)
    if await store.add_first_keys(first.stored):
        try:
            first.show(settings)
        except StartError as error:
            _log.error("{reason}", reason=str(error))


def goes_nowhere(stream: TextIO | None) -> bool:
    """Return whether what is written to ``stream`` is seen by nobody: there is none, or it is ``/dev/null``."""
    if stream is None:
        return True
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(os.devnull))
    except (OSError, ValueError):
        return True


def base_url(description: str) -> str:
    """Return the URL at which this machine reaches an endpoint, as well as its string tells."""
    kind, _, rest = description.removeprefix("haproxy:").partition(":")
    scheme = "https" if kind in ("ssl", "tls") else "http"
    port, host = "8080", "127.0.0.1"
    for part in rest.replace("\\:", "\0").split(":"):
        name, has_name, value = part.rpartition("=")
        if name == "port" or (not has_name and value.isdigit()):
            port = value
        elif name == "interface" and value not in ("", "0.0.0.0"):  # noqa: S104
            host = value.replace("\0", ":")
    if ":" in host:
        host = "[::1]" if host == "::" else f"[{host}]"
    return f"{scheme}://{host}:{port}"
