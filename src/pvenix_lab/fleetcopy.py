"""The lab's own copy of a fleet: read as far as the seed needs it, and edited to name this site.

This reader knows the layers that decide a machine's place (site defaults, groups, host, host_vars) and no more; it is not the
product's loader and must not become one.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from pvenix_lab.fleetyaml import flow, load, merge, mib, round_trip

PARTS = ("inventory", "playbooks", "nix")
_EXTRA_ROLES = ("base", "docker")
_EXTRA_ZONE, _EXTRA_PER_ZONE = "srvHome", 150
_SPARE_IDS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A network of the site file."""

    name: str
    bridge: str
    vlan: int
    cidr: str
    gateway: str
    dns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetHost:
    """What the seed needs to know of a host. Memory in MiB, disk in GiB; `vmid` 0 and `node` empty where none is given."""

    name: str
    roles: tuple[str, ...]
    tags: tuple[str, ...]
    cores: int
    memory_mib: int
    disk_gib: int
    zone: str
    address: str
    dns: tuple[str, ...]
    vmid: int
    node: str
    controller: bool
    protect: bool
    disks: tuple[tuple[str, str, int], ...] = ()
    """Slot, storage and GiB of each further disk; the storage is empty for that of the root disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """What a site file must say so that the fleet finds this lab."""

    name: str
    endpoint: str
    ca: Path
    token_id: str
    token_file: Path
    jump_port: int
    host_key: str
    key: Path
    public_key: str
    repository: str


@dataclass(slots=True, kw_only=True)
class FleetCopy:
    """A fleet in a directory, with its YAML read once."""

    root: Path
    site: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, source: Path, target: Path) -> FleetCopy:
        """Copy the fleet's folders.

        Raises:
            ValueError: `source` is no fleet.
        """
        missing = [name for name in PARTS if not (source / name).is_dir()]
        if missing:
            raise ValueError(f"{source} is no fleet: it has no {', '.join(missing)}")
        for name in PARTS:
            ignored = shutil.ignore_patterns("result", "__pycache__", ".*")
            shutil.copytree(source / name, target / name, ignore=ignore_links(ignored))
        return cls(root=target, site=load(target / "inventory/site.yaml"))

    def zones(self) -> dict[str, Zone]:
        """Every zone by name."""
        return {
            name: Zone(
                name=name,
                bridge=str(zone.get("bridge", "lan")),
                vlan=int(zone.get("vlan", 0)),
                cidr=str(zone["cidr"]),
                gateway=str(zone.get("gateway", "")),
                dns=tuple(map(str, zone.get("dns", ()))),
            )
            for name, zone in (self.site.get("zones") or {}).items()
        }

    def hosts(self) -> list[FleetHost]:
        """Every host of the inventory, by name."""
        found: dict[str, list[dict[str, Any]]] = {}
        inventory = load(self.root / "inventory/hosts.yaml")
        self._walk("all", inventory.get("all") or {}, (), found)
        return [self._host(name, layers) for name, layers in sorted(found.items())]

    def _walk(
        self,
        name: str,
        group: dict[str, Any],
        above: tuple[dict[str, Any], ...],
        found: dict[str, list[dict[str, Any]]],
    ) -> None:
        inline = (group.get("vars") or {}).get("machine") or {}
        layers = (*above, inline, self._variables("group_vars", name))
        for host, values in (group.get("hosts") or {}).items():
            own = ((values or {}).get("machine") or {}, self._variables("host_vars", host))
            found.setdefault(host, []).extend((*layers, *own))
        for child, content in (group.get("children") or {}).items():
            self._walk(child, content or {}, layers, found)

    def _variables(self, kind: str, name: str) -> dict[str, Any]:
        path = self.root / "inventory" / kind / f"{name}.yaml"
        return load(path).get("machine") or {} if path.exists() else {}

    def _host(self, name: str, layers: list[dict[str, Any]]) -> FleetHost:
        machine: dict[str, Any] = {}
        for layer in (self.site.get("defaults") or {}, *layers):
            merge(machine, layer)
        size = {**((self.site.get("classes") or {}).get(machine.get("class", ""), {})), **machine}
        network, proxmox = machine.get("network") or {}, machine.get("proxmox") or {}
        node = str(proxmox.get("node", ""))
        return FleetHost(
            name=name,
            roles=tuple(machine.get("roles", ())),
            tags=tuple(machine.get("tags", ())),
            cores=int(size.get("cores", 2)),
            memory_mib=mib(size.get("memory", "4G")),
            disk_gib=mib(size.get("disk", "20G")) // 1024,
            zone=str(network.get("zone", "")),
            address=str(network.get("address", "dhcp")),
            dns=tuple(map(str, network.get("dns", ()))),
            vmid=int(proxmox.get("vmid", 0)),
            node="" if node == "auto" else node,
            controller=bool(machine.get("self", False)),
            protect=bool(proxmox.get("protect", False)),
            disks=tuple(
                (str(disk["slot"]), str(disk.get("storage", "")), mib(disk["size"]) // 1024)
                for disk in proxmox.get("disks") or ()
            ),
        )

    def modules(self, roles: tuple[str, ...]) -> list[str]:
        """The NixOS modules of these roles, each once."""
        known = self.site.get("roles") or {}
        return list(dict.fromkeys(str(m) for role in roles for m in (known.get(role) or {}).get("modules", ())))

    def free_vmids(self, taken: set[int], *, needed: int) -> list[int]:
        """The next `needed` free ids of the declared range; the range is raised where it is too small."""
        (cluster,) = (self.site.get("clusters") or {}).values()
        declared = cluster.get("vmid") or {}
        first, last = declared.get("range", (200, 499))
        step = int(declared.get("step", 10))
        free = [number for number in range(first, last + 1, step) if number not in taken]
        if len(free) < needed + _SPARE_IDS // step:
            last = first + step * (needed + len(taken) + _SPARE_IDS)
            self._edit("inventory/site.yaml", lambda data: _set_range(data, first, last))
            free = [number for number in range(first, last + 1, step) if number not in taken]
        return free[:needed]

    def name_site(self, facts: SiteFacts) -> None:
        """Rewrite the connection facts of site.yaml and nothing else of it."""
        self._edit("inventory/site.yaml", lambda data: _name_site(data, facts))

    def add_hosts(self, count: int) -> None:
        """Add hosts web-001 … in a group `web`, so many to a zone as have addresses there."""
        zones = sorted(self.zones(), key=lambda name: name != _EXTRA_ZONE)
        names = {f"web-{number + 1:03d}": zones[number // _EXTRA_PER_ZONE % len(zones)] for number in range(count)}
        if count:
            self._edit("inventory/hosts.yaml", lambda data: _add_group(data, "web", names))

    def set_place(self, host: str, vmid: int, node: str) -> None:
        """Write a host's VM id and node to its host_vars, where pvenix writes them."""
        path = self.root / f"inventory/host_vars/{host}.yaml"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"machine:\n  proxmox:\n    vmid: {vmid}\n    node: {node}\n")
            return

        def change(data: Any) -> None:
            proxmox = data.setdefault("machine", CommentedMap()).setdefault("proxmox", CommentedMap())
            proxmox["vmid"] = vmid
            proxmox["node"] = node

        self._edit(str(path.relative_to(self.root)), change)

    def write_host_file(self, host: FleetHost) -> None:
        """The host's NixOS file from its roles, where the fleet does not bring one."""
        path = self.root / f"nix/hosts/{host.name}.nix"
        if path.exists():
            return
        imports = ["../configuration.nix", f"../hardware/{host.name}-hw.nix"]
        imports += [f"../modules/{module}.nix" for module in self.modules(host.roles)]
        lines = ["{", "  imports = [", *(f"    {entry}" for entry in imports), "  ];", ""]
        lines += [f'  networking.hostName = "{host.name}";', "}"]
        path.write_text("\n".join(lines) + "\n")

    def _edit(self, name: str, change: Any) -> None:
        path = self.root / name
        yaml = round_trip()
        data = yaml.load(path.read_text())
        change(data)
        out = StringIO()
        yaml.dump(data, out)
        path.write_text(out.getvalue())
        if name == "inventory/site.yaml":
            self.site = load(path)


def ignore_links(inner: Any) -> Any:
    """`copytree`'s ignore function that leaves symbolic links out as well: a copy must not point outside."""

    def ignore(directory: str, names: list[str]) -> set[str]:
        links = {name for name in names if Path(directory, name).is_symlink()}
        return links | set(inner(directory, names))

    return ignore


def _set_range(data: Any, first: int, last: int) -> None:
    for cluster in data["clusters"].values():
        bounds = CommentedSeq([first, last])
        bounds.fa.set_flow_style()
        cluster["vmid"]["range"] = bounds


def _name_site(data: Any, facts: SiteFacts) -> None:
    data["site"]["name"] = facts.name
    (cluster,) = data["clusters"].values()
    cluster["endpoints"] = CommentedSeq([facts.endpoint])
    cluster["tls"] = flow({"ca": str(facts.ca)})
    cluster["auth"] = CommentedMap({"token_id": facts.token_id, "token_secret": flow({"file": str(facts.token_file)})})
    jump = {"host": "127.0.0.1", "port": facts.jump_port, "user": "tappaas", "host_key": facts.host_key}
    access = data.setdefault("access", CommentedMap())
    access |= {"user": "tappaas", "key": flow({"file": str(facts.key)}), "jump": flow(jump)}
    repository = {"url": facts.repository, "branch": "main", "host_key": facts.host_key}
    data.setdefault("repository", CommentedMap()).update({**repository, "key": flow({"file": str(facts.key)})})
    bootstrap = data.setdefault("defaults", CommentedMap()).setdefault("bootstrap", CommentedMap())
    bootstrap["authorized_keys"] = CommentedSeq([facts.public_key])


def _add_group(data: Any, group: str, names: dict[str, str]) -> None:
    hosts = CommentedMap()
    for name, zone in names.items():
        roles = CommentedSeq(_EXTRA_ROLES)
        roles.fa.set_flow_style()
        hosts[name] = flow({"machine": flow({"class": "small", "roles": roles, "network": flow({"zone": zone})})})
    data["all"]["children"][group] = CommentedMap({"hosts": hosts})
