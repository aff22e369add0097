"""Why a connection failed, in words: what libraries say of it holds object addresses, numbers and Python."""

from __future__ import annotations

import errno
import re
import socket
from types import MappingProxyType
from typing import Final

from pvenix.adapters.text import sanitise

_WORDS: Final = MappingProxyType(
    {
        errno.ECONNREFUSED: "connection refused",
        errno.EHOSTUNREACH: "no route to it",
        errno.ENETUNREACH: "no route to its network",
        errno.ECONNRESET: "the connection was reset",
        errno.ETIMEDOUT: "the connection timed out",
    }
)
_LIMIT: Final = re.compile(r"timeout=(\d+(?:\.\d+)?)")
"""How urllib3 names the limit that was passed: `(connect timeout=5.0)`, `(read timeout=30.0)`."""
_OBJECT: Final = re.compile(r"^(?:\w+\([^)]*\)|<[^>]*>): ")
"""How urllib3 begins its messages: with the connection or the pool that failed."""


def failure_words(error: BaseException, *, connecting: bool) -> str:
    """Why a request failed, by its first cause; `connecting` when nothing had been sent."""
    cause = first_cause(error)
    if isinstance(cause, TimeoutError) and cause.errno is None:
        limit = _LIMIT.search(str(error))
        what = "no connection" if connecting else "no answer"
        return f"{what} within {float(limit[1]):g} s" if limit else f"{what} in time"
    return cause_words(cause)


def cause_words(cause: BaseException) -> str:
    """A failure of the network or of the operating system as a person says it."""
    if isinstance(cause, socket.gaierror):
        known = cause.errno not in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
        return f"its name cannot be looked up: {sanitise(cause.strerror or '')}" if known else "its name is not known"
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno in _WORDS:
        return _WORDS[cause.errno]
    words = cause.strerror if isinstance(cause, OSError) else ""
    return sanitise(_OBJECT.sub("", str(words or cause))) or type(cause).__name__


def first_cause(error: BaseException) -> BaseException:
    """The innermost of what requests and urllib3 wrap: a `reason`, an argument, or what it was raised from."""
    cause = error
    while True:
        inner = getattr(cause, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((each for each in cause.args if isinstance(each, BaseException)), cause.__cause__)
        if inner is None:
            return cause
        cause = inner
