"""A client of the HTTP API on the standard library: one call after another, no reactor to be started.

It follows no redirect and asks no proxy: both would show the key to somebody else.
"""

import http.client
import json
import ssl
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from ..strict_json import JSONError, loads
from .errors import CommandError

MAX_ANSWER_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 16


class Refusal(CommandError):
    """The node has answered with an error."""

    def __init__(self, status: int, code: str, message: str, field: str | None) -> None:
        named = f" ({field})" if field else ""
        super().__init__(f"the node says {status} {code}{named}: {message}")
        self.status = status
        self.code = code


class ApiClient:
    """Calls a node's HTTP API with a backend key."""

    def __init__(self, url: str, key: str, timeout_s: float) -> None:
        """``timeout_s`` is for a whole call. Raises :class:`.errors.CommandError` for a URL that is none."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        wrong = parts.query or parts.fragment or parts.username is not None
        if parts.scheme not in ("http", "https") or not host or wrong or not url.isascii():
            raise CommandError(f"not the URL of a node, such as http://127.0.0.1:8080: {url!r}")
        self._url = url
        self._path = parts.path.rstrip("/")
        self._headers = {"Authorization": f"ApiKey {key}", "Content-Type": "application/json"}
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            self._connection = http.client.HTTPSConnection(
                host, port, timeout=timeout_s, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)

    def call(
        self, method: str, path: str, body: object = None, *, fields: Sequence[str] = ()
    ) -> Any:
        """Return the JSON of the answer, an object with at least ``fields``.

        Raises :class:`Refusal` when the node has answered with an error, and
        :class:`.errors.CommandError` when it has not answered at all.
        """
        content = None if body is None else json.dumps(body).encode()
        try:
            self._connection.request(method, self._path + path, content, self._headers)
            answer = self._connection.getresponse()
            received = self._read(answer)
        except TimeoutError:
            raise CommandError(f"no answer from {self._url} in {self._timeout_s:g} s") from None
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", None) or error.reason
            raise CommandError(f"no TLS connection to {self._url}: {reason}") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise CommandError(f"no connection to {self._url}: {reason}") from None
        except (http.client.HTTPException, ValueError) as error:
            raise CommandError(
                f"what answers at {self._url} is no node: {type(error).__name__}"
            ) from None
        finally:
            # Between two calls a person may think for long.
            self._connection.close()
        value = self._value(answer.status, received)
        if not (isinstance(value, dict) and all(name in value for name in fields)):
            raise CommandError(f"what answers at {self._url} is no node: status {answer.status}")
        return value

    def pages(self, path: str, **parameters: object) -> Iterator[list[Any]]:
        """Return the items of a list, page by page."""
        cursor: str | None = None
        while True:
            asked = {**parameters, **({"cursor": cursor} if cursor else {})}
            page = self.call("GET", f"{path}?{urlencode(asked)}", fields=("items", "next_cursor"))
            yield [each for each in page["items"] if isinstance(each, dict)]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        deadline = time.monotonic() + self._timeout_s
        received = b""
        while chunk := answer.read1(_CHUNK_BYTES):
            received += chunk
            if len(received) > MAX_ANSWER_BYTES:
                raise ValueError
            if time.monotonic() > deadline:
                raise TimeoutError
        return received

    def _value(self, status: int, received: bytes) -> Any:
        try:
            value = loads(received)
        except JSONError:
            raise CommandError(
                f"what answers at {self._url} is no node, or stands before one: status {status}"
            ) from None
        if status < 300:
            return value
        error = value.get("error") if isinstance(value, dict) else None
        if not isinstance(error, dict):
            raise CommandError(f"what answers at {self._url} is no node: status {status}")
        raise Refusal(status, str(error.get("code")), str(error.get("message")), error.get("field"))
