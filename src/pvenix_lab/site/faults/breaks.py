"""Answers of the API that are late, lost, or none at all: statuses, pages, redirects, halves, resets, nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from pvenix_lab.site.armed.fault import Fault, Spec
from pvenix_lab.site.armed.spec import Arg, Face
from pvenix_lab.site.faults.asked import Asked
from pvenix_lab.site.faults.wire import Breach, Broken
from pvenix_lab.site.pve.api import Ask
from pvenix_lab.site.pve.call import Response

_REASONS = {
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    595: "Connection refused",
    596: "Broken pipe",
    597: "Connection reset by peer",
    599: "Connection timed out",
}
"""Reason lines of the event HTTP client (AnyEvent::HTTP) and of a proxy in between."""


async def stalled(asked: Asked, ask: Ask) -> Response | None:
    """The answer after its time, None when nothing holds it up."""
    fault = asked.take("pve-stall", asked.aimed)
    if fault is None:
        return None
    await asyncio.sleep(fault.number("seconds"))
    return await ask()


async def broken(asked: Asked, ask: Ask) -> Response | None:
    """What comes in place of the answer, None when it comes itself."""
    for name, make in _BROKEN.items():
        fault = asked.take(name, asked.aimed)
        if fault is not None:
            done = await ask() if fault.flag("effect") else None
            if fault.number("status") == 401:
                await asyncio.sleep(asked.site.timings.unauthorized_s)
            return make(fault, done)
    return None


def _status(fault: Fault, _done: Response | None) -> Response:
    status = int(fault.number("status"))
    return Response(status=status, reason=fault.text("reason", _REASONS.get(status, "error")), body=None)


def _broken_as(breach: Breach) -> Callable[[Fault, Response | None], Response]:
    def make(fault: Fault, done: Response | None) -> Response:
        status = 302 if breach is Breach.REDIRECT else 200
        body = done.body if done else None
        return Broken(status=status, reason="OK", body=body, breach=breach, location=fault.text("location"))

    return make


def _wrong_types(_fault: Fault, done: Response | None) -> Response:
    """The data in another shape: what is a list becomes an object, everything else a list of a list."""
    if done is None or done.status != 200:
        return done or Response(status=200, reason="OK", body={"data": None})
    data: Any = {"0": 1} if isinstance(done.data, list) else [["unexpected", 1]]
    return Response(status=200, reason="OK", body={"data": data}, protected=done.protected)


_BROKEN: Mapping[str, Callable[[Fault, Response | None], Response]] = {
    "pve-status": _status,
    "pve-html": _broken_as(Breach.HTML),
    "pve-redirect": _broken_as(Breach.REDIRECT),
    "pve-truncated": _broken_as(Breach.TRUNCATED),
    "pve-reset": _broken_as(Breach.RESET),
    "pve-wrong-types": _wrong_types,
}

_METHOD = Arg(name="method", default="", what="GET, POST, PUT or DELETE; empty for any")
_PATH = Arg(name="path", default="", what="a part of the path; empty for any")
_EFFECT = Arg(name="effect", default=False, what="whether the call is done all the same")
_DONE = Arg(name="effect", default=True, what="whether the call is done all the same")
_WHICH = (_METHOD, _PATH)

SPECS = (
    Spec(
        name="pve-status",
        rows=("F09", "R3"),
        what="the next API call is answered with `status`, a reason line and an empty body",
        args=(
            *_WHICH,
            Arg(name="status", default=599, what="400 to 599; 595 to 599 are the proxy's own"),
            Arg(name="reason", default="", what="the reason line; empty for the usual one"),
            _EFFECT,
        ),
        face=Face.API,
    ),
    Spec(
        name="pve-html",
        rows=("T7", "R3"),
        what="the next API call is answered with 200 and a login page",
        args=(*_WHICH, _EFFECT),
        face=Face.API,
    ),
    Spec(
        name="pve-redirect",
        rows=("T7", "R3"),
        what="the next API call is answered with 302",
        args=(*_WHICH, _EFFECT, Arg(name="location", default="/api2/json/version", what="where it leads")),
        face=Face.API,
    ),
    Spec(
        name="pve-truncated",
        rows=("R3",),
        what="the JSON of the next API call ends in the middle",
        args=(*_WHICH, _DONE),
        face=Face.API,
    ),
    Spec(
        name="pve-reset",
        rows=("R3",),
        what="the connection of the next API call is reset in mid-TLS",
        args=(*_WHICH, _DONE),
        face=Face.API,
    ),
    Spec(
        name="pve-wrong-types",
        rows=("R3",),
        what="the data of the next API call has another shape",
        args=(*_WHICH, _DONE),
        face=Face.API,
    ),
    Spec(
        name="pve-stall",
        rows=("F07", "T8", "R3"),
        what="the next API call is answered only after `seconds`, and done then",
        args=(*_WHICH, Arg(name="seconds", default=20.0, what="of the site's clock")),
        face=Face.API,
    ),
)
