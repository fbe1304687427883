"""Why a connection failed, in a few words for a log line."""

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import defer, error
from twisted.python.failure import Failure

from .errors import ErrorReply, NotConnected


def why(failure: Failure) -> str:
    """Say in one line why a connection could not be made or was lost."""
    match failure.value:
        case NotConnected() | ErrorReply() as told:
            return str(told)
        case error.ConnectionRefusedError():
            return "connection refused"
        case error.DNSLookupError():
            return "its host's name is not known"
        case error.NoRouteError() | error.ConnectError(osError=101 | 113):
            return "no route to its host"
        case error.TimeoutError() | defer.TimeoutError():
            return "no answer in time"
        case error.ConnectionDone():
            return "Redis closed the connection"
        case error.ConnectionAborted():
            return "the connection was given up"
        case error.ConnectionLost():
            return "the connection broke"
        case VerificationError():
            return "TLS: its certificate is for another host"
        case SSL.Error() as broken:
            return f"TLS: {_openssl(broken)}"
        case other:
            return " ".join(f"{type(other).__name__}: {other}".split())[:200]


def _openssl(broken: SSL.Error) -> str:
    # [("SSL routines", "", "certificate verify failed")], or nothing at all.
    reasons = broken.args[0] if broken.args and isinstance(broken.args[0], list) else []
    return ", ".join(each[-1] for each in reasons) or "the handshake failed"
