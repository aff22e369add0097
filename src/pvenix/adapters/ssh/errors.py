"""What went wrong on the way to a guest, in the operator's words."""

from __future__ import annotations

import asyncssh

from pvenix.adapters.text import sanitise
from pvenix.engine.ports import KEY_CHANGED, KEY_REFUSED, Target
from pvenix.model.errors import PvenixError, Refused, Unreachable


def place(target: Target) -> str:
    """`target` as messages name it."""
    via = f" through {target.jump.host}" if target.jump else ""
    return f"{target.host} ({target.user}@{target.address} port {target.port}{via})"


def way_to_pin(target: Target) -> str:
    """How the right host key of `target` gets known."""
    if target.pinned_in:
        return f"write its key to {target.pinned_in}"
    return f"`pvenix boot {target.host}` reads the key through the guest agent and pins it"


def explained(target: Target, error: Exception) -> PvenixError:
    """The error of a failed connection attempt; a host key or login that was not accepted is Refused."""
    match error:
        case asyncssh.HostKeyNotVerifiable() | asyncssh.KeyExchangeFailed():
            return Refused(
                f"{place(target)} did not prove to be {target.host}",
                why=sanitise(str(error)),
                hint=f"nothing was sent to it. If the machine was replaced on purpose: {way_to_pin(target)}",
                code=KEY_CHANGED,
            )
        case asyncssh.PermissionDenied():
            return Refused(
                f"{place(target)} does not accept the key {target.key_file}",
                why=sanitise(str(error)),
                hint=f"add its public key to the authorised keys of {target.user}, or name another key",
                code=KEY_REFUSED,
            )
        case asyncssh.ChannelOpenError(code=asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED) if target.jump:
            return Refused(
                f"{target.jump.host} does not forward to {target.address} port {target.port}",
                why=sanitise(str(error)),
                hint="allow TCP forwarding for this key on the jump host",
                code="PVX0615",
            )
        case TimeoutError():
            why = "no answer in time"
        case _:
            why = sanitise(str(error)) or type(error).__name__
    return Unreachable(
        f"{place(target)} cannot be reached",
        why=why,
        hint="is it up, and are its address and port right in inventory/site.yaml?"
        if target.pinned_in
        else f"is the VM running and its SSH port open? `pvenix status -l {target.host}`",
    )
