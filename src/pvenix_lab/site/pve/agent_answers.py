"""Agent commands that speak of the machine and not of the guest's files: answered from the VM where the guest itself does not.

Shapes: QEMU's qga/qapi-schema.json of 9.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.core import AgentError
from pvenix_lab.site.pve.sizes import MIB

if TYPE_CHECKING:
    from pvenix_lab.site.core import GuestProtocol, Site
    from pvenix_lab.site.pve.vm import Vm

NOT_FOUND = "has not been found"
"""How the agent's text for a command that it does not have ends."""
_MEMORY_BLOCK = 128 * MIB
_COMMANDS = (
    *(
        "exec",
        "exec-status",
        "file-close",
        "file-open",
        "file-read",
        "file-write",
        "fsfreeze-freeze",
        "fsfreeze-status",
    ),
    *(
        "fsfreeze-thaw",
        "fstrim",
        "get-fsinfo",
        "get-host-name",
        "get-memory-block-info",
        "get-memory-blocks",
        "get-osinfo",
    ),
    *(
        "get-time",
        "get-timezone",
        "get-users",
        "get-vcpus",
        "info",
        "network-get-interfaces",
        "ping",
        "set-user-password",
    ),
    *("shutdown", "sync", "sync-delimited"),
)


def _file_systems(vm: Vm) -> int:
    return sum(1 for disk in vm.disks().values() if disk.get("media") != "cdrom")


def _freeze(_site: Site, vm: Vm) -> int:
    frozen, vm.frozen = vm.frozen, True
    return 0 if frozen else _file_systems(vm)


def _thaw(_site: Site, vm: Vm) -> int:
    frozen, vm.frozen = vm.frozen, False
    return _file_systems(vm) if frozen else 0


def _vcpus(_site: Site, vm: Vm) -> list[dict[str, Any]]:
    count = int(vm.config.get("cores", 1)) * int(vm.config.get("sockets", 1))
    return [{"logical-id": number, "online": True, "can-offline": number > 0} for number in range(count)]


def _info(_site: Site, _vm: Vm) -> dict[str, Any]:
    commands = [
        {"name": f"guest-{name}", "enabled": True, "success-response": name != "shutdown"} for name in _COMMANDS
    ]
    return {"version": "9.2.0", "supported_commands": commands}


ANSWERS: dict[str, Callable[[Site, Vm], Any]] = {
    "fsfreeze-freeze": _freeze,
    "fsfreeze-status": lambda _site, vm: "frozen" if vm.frozen else "thawed",
    "fsfreeze-thaw": _thaw,
    "fstrim": lambda _site, _vm: {"paths": []},
    "get-fsinfo": lambda _site, _vm: [],
    "get-memory-block-info": lambda _site, _vm: {"size": _MEMORY_BLOCK},
    "get-memory-blocks": lambda _site, _vm: [],
    "get-time": lambda site, _vm: int(site.wall() * 1_000_000_000),
    "get-timezone": lambda _site, _vm: {"zone": "UTC", "offset": 0},
    "get-users": lambda _site, _vm: [],
    "get-vcpus": _vcpus,
    "info": _info,
    "set-user-password": lambda _site, _vm: {},
    "shutdown": lambda _site, _vm: {},
    "suspend-disk": lambda _site, _vm: {},
    "suspend-hybrid": lambda _site, _vm: {},
    "suspend-ram": lambda _site, _vm: {},
}
"""What a guest that has no answer of its own says, by command."""


def answer(site: Site, vm: Vm, guest: GuestProtocol, command: str, params: Mapping[str, object]) -> Any:
    """What the agent answers: the guest's own word, or the machine's where the guest has none.

    Raises:
        AgentError: it refuses.
    """
    try:
        said = guest.agent(command, params)
    except AgentError as error:
        if command not in ANSWERS or not str(error).endswith(NOT_FOUND):
            raise
        said = None
    if command in ANSWERS and not said:  # a command of the machine, not of the guest's files and programs
        return ANSWERS[command](site, vm)
    return said
