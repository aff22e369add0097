"""What a guest made of cloud-init's values, seen through its agent after a boot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pvenix.engine.step import Step
from pvenix.lifecycle.fields.values import parts_of
from pvenix.lifecycle.fields.wanted import Wanted
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.waiting import until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, RemoteFailure

_HOSTNAME: Final = "/proc/sys/kernel/hostname"
_PATIENCE_S: Final = 60.0
"""Networks come up after the agent does."""


async def refuse_untaken(world: World, step: Step, found: Found, wanted: Sequence[Wanted]) -> None:
    """Return when the guest has the host's name and every address that the inventory fixes.

    Raises: RemoteFailure with what it has instead.
    """
    left = [f"the agent of {step.host} does not answer"]

    async def taken() -> bool | None:
        nonlocal left
        try:
            left = await _untaken(world, step, found, wanted)
        except RemoteFailure:
            return None  # the agent may be away for a moment while the guest boots
        return None if left else True

    step.tell("looking at what the guest made of cloud-init's values")
    try:
        await until(taken, clock=world.clock, timeout_s=_PATIENCE_S, what="what cloud-init was told")
    except OutcomeUnknown as error:
        raise RemoteFailure(
            f"{step.host} booted and did not take what cloud-init was told",
            why="; ".join(left),
            hint=f"on the guest: cloud-init status --long; the drive: qm cloudinit dump {found.vmid} network",
            code="PVX0654",
        ) from error


async def _untaken(world: World, step: Step, found: Found, wanted: Sequence[Wanted]) -> list[str]:
    left = []
    name = ((await world.pve.agent_read_file(found.node, found.vmid, _HOSTNAME)) or "").strip()
    if name.partition(".")[0] != step.host:
        left.append(f"it calls itself {name!r}")
    interfaces = await world.pve.agent_interfaces(found.node, found.vmid)
    for one in wanted:
        if not one.key.startswith("ipconfig") or one.part not in ("ip", "ip6") or "/" not in one.value:
            continue
        card = f"net{one.key.removeprefix('ipconfig')}"
        mac = parts_of(card, found.config.values.get(card, "")).get("macaddr", "").lower()
        has = [address for interface in interfaces if interface.mac == mac for address in interface.addresses]
        if one.value.partition("/")[0] not in {address.partition("/")[0].lower() for address in has}:
            left.append(f"{card} has {', '.join(has) or 'no address'} and not {one.value}")
    return left
