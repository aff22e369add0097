"""The other guests of the site as one guest sees them: by name or by address, while they run."""

from __future__ import annotations

from pvenix_lab.site.core import Site
from pvenix_lab.site.guest.guest import Guest


def find(site: Site, name: str) -> Guest | None:
    """The running guest of this host name (alone or with a domain) or address; None when nobody has it."""
    for guest in site.guests.values():
        if isinstance(guest, Guest) and guest.running:
            own = {address.partition("/")[0] for address in guest.addresses}
            if name in own or name == guest.hostname or name.startswith(f"{guest.hostname}."):
                return guest
    return None
