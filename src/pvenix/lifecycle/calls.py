"""Calls that change something at Proxmox or in Git: the words that `--check` and the log show, and the call itself.

A verb makes its calls in one place, from which `commands` takes the words and `apply` sends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pvenix.engine.ports import NewVm, Pve
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle.ownership import Found
from pvenix.model.names import NodeName, Vmid

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One call, not made yet."""

    channel: str
    text: str
    make: Callable[[], Awaitable[T]]

    async def send(self, step: Step) -> T:
        """Show the call, then make it."""
        step.sends(self.channel, self.text)
        return await self.make()


def shown(calls: Iterable[Call[Any]]) -> Commands:
    """What `--check` shows of calls."""
    return tuple((call.channel, call.text) for call in calls)


class VmCalls:
    """The calls on one VM."""

    def __init__(self, pve: Pve, node: NodeName, vmid: Vmid) -> None:
        self.path = f"/nodes/{node}/qemu/{vmid or '<vmid>'}"
        self._pve = pve
        self._node = node
        self._vmid = vmid

    @classmethod
    def on(cls, pve: Pve, found: Found | None, facts: Mapping[str, str]) -> VmCalls:
        """The calls on a VM; on one that does not exist yet only to be shown, with what `facts` say of its place."""
        if found is not None:
            return cls(pve, found.node, found.vmid)
        return cls(pve, NodeName(facts.get("node", "<node>")), Vmid(int(facts.get("vmid", "0"))))

    def configure(self, values: Mapping[str, str], *, digest: str = "") -> Call[None]:
        """Write `values`; `digest` refuses when somebody wrote in between."""
        return self._call(
            f"PUT {self.path}/config {_pairs(dict(sorted(values.items())))}",
            lambda: self._pve.set_config(self._node, self._vmid, values, digest=digest),
        )

    def resize(self, disk: str, gib: int) -> Call[str]:
        """Grow `disk` to `gib` GiB in all; gives a UPID."""
        return self._call(
            f"PUT {self.path}/resize disk={disk} size={gib}G",
            lambda: self._pve.resize(self._node, self._vmid, disk, gib),
        )

    def regenerate_cloudinit(self) -> Call[None]:
        """Write the cloud-init drive anew."""
        return self._call(f"PUT {self.path}/cloudinit", lambda: self._pve.regenerate_cloudinit(self._node, self._vmid))

    def start(self) -> Call[str]:
        """Start the VM; gives a UPID."""
        return self._call(f"POST {self.path}/status/start", lambda: self._pve.start(self._node, self._vmid))

    def stop(self) -> Call[str]:
        """Cut the VM's power; gives a UPID."""
        return self._call(f"POST {self.path}/status/stop", lambda: self._pve.stop(self._node, self._vmid))

    def destroy(self) -> Call[str]:
        """Destroy the VM with its disks; gives a UPID."""
        return self._call(f"DELETE {self.path} purge=1", lambda: self._pve.destroy(self._node, self._vmid))

    @staticmethod
    def _call(text: str, make: Callable[[], Awaitable[T]]) -> Call[T]:
        return Call(channel="pve", text=text, make=make)


def clone_call(pve: Pve, source: NodeName, template: Vmid, new: NewVm) -> Call[str]:
    """Clone `template` on `source`; gives a UPID."""
    optional = {"target": new.target, "storage": new.storage, "pool": new.pool}
    values = {
        "newid": str(new.vmid),
        "name": new.name,
        "full": str(int(new.full)),
        "description": repr(new.description),
    }
    values |= {key: value for key, value in optional.items() if value}
    return Call(
        channel="pve",
        text=f"POST /nodes/{source}/qemu/{template}/clone {_pairs(values)}",
        make=lambda: pve.clone(source, template, new),
    )


def git_call(text: str, make: Callable[[], Awaitable[T]]) -> Call[T]:
    """A push."""
    return Call(channel="git", text=text, make=make)


def _pairs(values: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in values.items())
