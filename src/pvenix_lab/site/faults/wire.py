"""Answers that are no answers: what a client meets when the way to the API, and not the API, misbehaves.

In memory an adapter is told what it would have seen: a page or a redirect is something that is not the API, a broken
stream is a lost answer. Over sockets the face writes the very bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pvenix_lab.site.pve.call import Response


class Breach(Enum):
    """How an answer is broken."""

    HTML = "HTML page"
    REDIRECT = "redirect"
    TRUNCATED = "truncated"
    RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(Response):
    """An answer that breaks HTTP or is not JSON; `body` is what the API had said, None if it was not asked."""

    breach: Breach
    location: str = ""

    @property
    def is_lost(self) -> bool:
        """True if the client cannot tell whether the call was done; else something else than the API answered."""
        return self.breach is Breach.RESET


LOGIN_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>lab - Proxmox Virtual Environment</title></head>"
    "<body><div id='ext-gen'>Please log in</div></body></html>\n"
)
