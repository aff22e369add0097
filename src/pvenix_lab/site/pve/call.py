"""What a handler gets and gives: the checked call, the answer, and the table of handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.errors import PveError

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.pve.cluster import Cluster, Node, Storage
    from pvenix_lab.site.pve.flavour import Flavour
    from pvenix_lab.site.pve.permissions import Caller
    from pvenix_lab.site.pve.schema import Properties, Value
    from pvenix_lab.site.pve.vm import Vm


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer of the API. `body` is what JSON will carry, None for an empty body; `protected` if it took the second hop.

    With status 0 there is no answer at all: the connection is dropped.
    """

    status: int
    reason: str
    body: dict[str, Any] | None
    protected: bool = False

    @property
    def data(self) -> Any:
        """`data` of the body, None without a body."""
        return self.body.get("data") if self.body else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list and the number of all items; `total` travels beside `data` (proxmox.md a1)."""

    items: list[dict[str, Any]]
    total: int


@dataclass(slots=True, kw_only=True)
class Call:
    """One checked API call."""

    site: Site
    caller: Caller
    method: str
    protected: bool
    properties: Properties
    params: dict[str, Value] = field(default_factory=dict)

    @property
    def cluster(self) -> Cluster:
        """The cluster that answers."""
        return self.site.cluster

    @property
    def flavour(self) -> Flavour:
        """The release that answers."""
        return self.site.cluster.flavour

    @property
    def vmid(self) -> int:
        """The `vmid` of the path."""
        return int(str(self.params["vmid"]))

    def require(self, path: str, *privileges: str, any_of: bool = False) -> None:
        """Refuse (PermissionDeniedError) unless the caller has all (or one) of the privileges on the path.

        The path is one of the access control list: `/vms/100`, `/storage/tanka1`, `/sdn/zones/localnetwork/lan`.
        """
        self.caller.require(path, *privileges, any_of=any_of)

    def allowed(self, path: str, *privileges: str, any_of: bool = False) -> bool:
        """True if the caller has all (or one) of the privileges on the path: what lists are filtered by."""
        return self.caller.allowed(path, *privileges, any_of=any_of)

    def text(self, name: str, default: str = "") -> str:
        """A parameter as text."""
        value = self.params.get(name, default)
        return ",".join(value) if isinstance(value, list) else str(value)

    def number(self, name: str, default: int = 0) -> int:
        """A parameter as integer."""
        value = self.params.get(name, default)
        return default if isinstance(value, list) else int(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean parameter."""
        return bool(self.params.get(name, default))

    def items(self, name: str) -> list[str]:
        """A list parameter."""
        value = self.params.get(name, [])
        return value if isinstance(value, list) else [str(value)]

    def node(self) -> Node:
        """The node of the path (known to exist by then)."""
        return self.cluster.nodes[self.text("node")]

    def storage(self) -> Storage:
        """The storage of the path. Raises PveError with the backend's text if there is none on the node."""
        storage = self.cluster.storages.get(self.text("storage"))
        if storage is None:
            raise PveError(f"storage '{self.text('storage')}' does not exist")
        if self.text("node") not in storage.nodes:
            raise PveError(f"storage '{storage.name}' is not available on node '{self.text('node')}'")
        return storage

    def vm(self) -> Vm:
        """The VM of the path. Raises PveError with the text that stands for "no such VM" (there is no 404)."""
        return find_vm(self.cluster, self.text("node"), self.vmid)


def find_vm(cluster: Cluster, node: str, vmid: int) -> Vm:
    """The VM `vmid` if it lives on `node`; PveError otherwise."""
    vm = cluster.vms.get(vmid)
    if vm is None or vm.node != node:
        raise PveError(f"Configuration file 'nodes/{node}/qemu-server/{vmid}.conf' does not exist")
    return vm


def check_lock(vm: Vm) -> None:
    """Raise PveError if the VM's configuration is locked."""
    if vm.lock:
        raise PveError(f"VM is locked ({vm.lock})")


Handler = Callable[[Call], Awaitable[Any]]
HANDLERS: dict[tuple[str, str], Handler] = {}
"""Handlers by method and path pattern, filled by `route`."""


def route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    """Register a handler. It returns the `data` of the answer, or a Page."""

    def register(handler: Handler) -> Handler:
        HANDLERS[method, pattern] = handler
        return handler

    return register
