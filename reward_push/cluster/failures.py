"""Why a request that was passed on has no answer."""

from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as TookTooLong
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.web.client import RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed

__all__ = [
    "CANNOT_CONNECT",
    "CUT_OFF",
    "UNREACHABLE",
    "AnswerTooLarge",
    "NotAnAnswer",
    "TookTooLong",
]


class AnswerTooLarge(Exception):
    """Another node's answer is larger than any that a session gives."""


class NotAnAnswer(Exception):
    """What another node has sent is no answer."""


CANNOT_CONNECT = (ConnectError, DNSLookupError)
UNREACHABLE = (CancelledError, ConnectingCancelledError, TookTooLong, *CANNOT_CONNECT)
"""The node of a session cannot be reached, or is given up."""
CUT_OFF = (
    *(ConnectionClosed, ResponseFailed, RequestTransmissionFailed, RequestGenerationFailed),
    *(AnswerTooLarge, NotAnAnswer),
)
"""It can, but has not answered, or not to the end."""
