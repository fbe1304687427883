"""How a connection to Redis or to a Sentinel is made: TCP, or TLS that is verified."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)

from ..address import HostPort, Tls
from .wire import Wire, WireFactory

_PEM_END = b"-----END CERTIFICATE-----"

W = TypeVar("W", bound=Wire)


class Dialer:
    """Connects to hosts that Redis or Sentinels run on."""

    def __init__(self, tls: Tls | None, reactor: Any) -> None:
        """Raises ``ValueError`` when the certificates to trust cannot be read."""
        self._reactor = reactor
        self._trust = None if tls is None else _trust(tls)

    async def connect(self, host: HostPort, make: Callable[[], W], timeout_s: float) -> W:
        """Connect to ``host``. Raises what Twisted's endpoints raise.

        Over TLS the handshake may still be under way; nothing is sent before the certificate was verified.
        """
        endpoint: Any = HostnameEndpoint(self._reactor, host.host, host.port, timeout=timeout_s)
        if self._trust is not None:
            options = optionsForClientTLS(host.host, trustRoot=self._trust)
            endpoint = wrapClientTLS(options, endpoint)
        wire: W = await endpoint.connect(WireFactory(make))
        return wire


def _trust(tls: Tls) -> Any:
    if tls.ca is None:
        return platformTrust()
    try:
        content = Path(tls.ca).read_bytes()
    except OSError as error:
        raise ValueError(f"the file that ca names cannot be read: {error.strerror}") from None
    try:
        *parts, _ = content.split(_PEM_END)
        certificates = [Certificate.loadPEM(part + _PEM_END) for part in parts]
    except Exception:  # OpenSSL's own, which say nothing useful
        raise ValueError("the file that ca names holds a certificate that is broken") from None
    if not certificates:
        raise ValueError("the file that ca names holds no PEM certificate")
    return trustRootFromCertificates(certificates)
