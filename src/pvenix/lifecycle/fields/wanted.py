"""What the inventory wants of a VM, field by field, as Proxmox would keep it. Only what is declared is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pvenix.fleet.load import Fleet
from pvenix.lifecycle import notes
from pvenix.lifecycle.fields.values import ROOT_DISK, meaning, size
from pvenix.lifecycle.ownership import MARKER_TAG
from pvenix.model.host import Disk, Host, Install, Network
from pvenix.model.site import Site, Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One field that the inventory declares."""

    field: str
    """As the inventory spells it."""
    key: str
    """Proxmox' option; `pool`, `node` and `backup` are none, and stand for what lies outside of the configuration."""
    part: str = ""
    """Of a property string; empty for the whole option."""
    value: str
    where: str = ""
    """`file:line:column`, empty for a built-in default."""

    @property
    def id(self) -> str:
        """Under what the record keeps it."""
        return f"{self.key}.{self.part}" if self.part else self.key


def declared(fleet: Fleet, host: str) -> dict[str, str]:
    """The fields that some layer sets for the host, each with the `file:line:column` of the deciding one.

    Entries of lists of maps count one by one: a disk under its slot, a card or a device under its number. The storage that
    a cluster suggests for new disks is nobody's wish for the disks of a VM.
    """
    found: dict[str, str] = {}
    for one in fleet.explain(host):
        origin = one.origins[0]
        if one.field == "proxmox.storage" and origin.layer.startswith("cluster "):
            continue
        where = "" if origin.file == "built-in" else f"{origin.file}:{origin.line}:{origin.column}"
        found[one.field] = where
        if isinstance(one.value, list):
            found |= dict.fromkeys(_below(one.field, one.value), where)
    return found


def _below(field: str, entries: Sequence[Any]) -> Iterator[str]:
    for index, entry in enumerate(entries):
        if isinstance(entry, Mapping):
            number = entry.get("slot", index + 1 if field == "nics" else index)
            yield from (f"{field}.{number}.{name}" for name in entry)


def wanted_of(fleet: Fleet, name: str) -> tuple[Wanted, ...]:
    """What the fleet's inventory wants of host `name`.

    Raises: UsageError when a key file is missing.
    """
    host = fleet.host(name)
    keys = fleet.authorized_keys(name)
    return wanted(fleet.site, host, keys=keys, declared=declared(fleet, name))


def wanted(site: Site, host: Host, *, keys: Sequence[str], declared: Mapping[str, str]) -> tuple[Wanted, ...]:
    """What the inventory wants of the host's VM. `keys` are its public key lines, `declared` comes from `declared`."""
    seeker = _Seeker(site=site, host=host, keys=keys, declared=declared)
    return tuple(seeker.all())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seeker:
    site: Site
    host: Host
    keys: Sequence[str]
    declared: Mapping[str, str]

    def all(self) -> Iterator[Wanted]:
        """Every wanted field."""
        yield from self._sizes()
        yield from self._options()
        yield from self._hardware()
        yield from self._disks()
        yield from self._pci()
        yield from self._nics()
        yield from self._cloud_init()

    def _one(self, field: str, key: str, value: str | int, part: str = "", *, given: str = "") -> Iterator[Wanted]:
        """The field if it is declared, there or as `given`."""
        name = given or field
        if name in self.declared:
            text = str(int(value)) if isinstance(value, int) else value
            yield Wanted(field=field, key=key, part=part, value=text, where=self.declared[name])

    def _sizes(self) -> Iterator[Wanted]:
        machine = self.host.machine
        yield from self._one("cores", "cores", machine.cores)
        yield from self._one("memory", "memory", machine.memory_mib)
        yield from self._one("balloon", "balloon", machine.balloon_mib)
        yield from self._one("disk", ROOT_DISK, _gib(machine.disk_mib), "size")
        yield from self._one("proxmox.storage", ROOT_DISK, machine.proxmox.storage, "storage")

    def _options(self) -> Iterator[Wanted]:
        proxmox, backup = self.host.machine.proxmox, self.host.machine.backup
        yield from self._one("proxmox.onboot", "onboot", proxmox.onboot)
        yield from self._one("proxmox.startup", "startup", meaning("startup", proxmox.startup))
        yield from self._one("proxmox.protect", "protection", proxmox.protect)
        yield from self._one("proxmox.notes", "description", notes.inert(proxmox.notes).strip())
        tags = ";".join(sorted({MARKER_TAG, *(tag.lower() for tag in self.host.machine.tags)}))
        yield Wanted(field="tags", key="tags", value=tags, where=self.declared.get("tags", ""))
        yield from self._one("proxmox.pool", "pool", proxmox.pool)
        if proxmox.pin and proxmox.node != "auto":
            yield from self._one("proxmox.node", "node", proxmox.node)
        yield from self._one("backup.job", "backup", backup.job)

    def _hardware(self) -> Iterator[Wanted]:
        hardware = self.host.machine.hardware
        for name, key in (("machine", "machine"), ("bios", "bios"), ("cpu", "cpu"), ("scsihw", "scsihw")):
            value = getattr(hardware, name)
            yield from self._one(f"hardware.{name}", key, meaning(key, value)) if value else ()
        for name, key in (("display", "vga"), ("ostype", "ostype"), ("hotplug", "hotplug")):
            value = getattr(hardware, name)
            yield from self._one(f"hardware.{name}", key, meaning(key, value)) if value else ()
        if hardware.numa is not None:
            yield from self._one("hardware.numa", "numa", hardware.numa)
        if hardware.serial is not None:
            yield from self._one("hardware.serial", "serial0", "socket" if hardware.serial else "")
        if hardware.tpm is not None:
            yield from self._one("hardware.tpm", "tpmstate0", "v2.0" if hardware.tpm else "", "version")
        if hardware.secureboot is not None:
            yield from self._one("hardware.secureboot", "efidisk0", hardware.secureboot, "pre-enrolled-keys")

    def _disks(self) -> Iterator[Wanted]:
        for disk in self.host.machine.proxmox.disks:
            yield from self._disk(disk)

    def _disk(self, disk: Disk) -> Iterator[Wanted]:
        field = f"proxmox.disks.{disk.slot}"
        yield from self._one(f"{field}.size", disk.slot, _gib(disk.size_mib), "size")
        yield from self._one(f"{field}.storage", disk.slot, disk.storage, "storage")
        for name in ("ssd", "discard", "backup", "iothread"):
            yield from self._one(f"{field}.{name}", disk.slot, bool(getattr(disk, name)), name)

    def _pci(self) -> Iterator[Wanted]:
        for index, device in enumerate(self.host.machine.proxmox.pci):
            field, key = f"proxmox.pci.{index}", f"hostpci{index}"
            yield from self._one(f"{field}.mapping", key, device.mapping, "mapping")
            yield from self._one(f"{field}.pcie", key, device.pcie, "pcie")
            yield from self._one(f"{field}.primary", key, device.primary, "x-vga")

    def _cards(self) -> Iterator[tuple[int, str, Network]]:
        """The cards with their numbers and what their fields begin with."""
        yield 0, "network", self.host.machine.network
        for index, card in enumerate(self.host.machine.nics, start=1):
            yield index, f"nics.{index}", card

    def _nics(self) -> Iterator[Wanted]:
        for index, field, card in self._cards():
            key, zone = f"net{index}", self._zone(card)
            zoned = f"{field}.zone" if card.zone else ""
            bridge = card.bridge or (zone.bridge if zone else "")
            if bridge:
                yield from self._given(f"{field}.bridge", key, bridge, "bridge", zoned)
            if bridge or card.vlan:
                vlan = card.vlan or (zone.vlan if zone else 0)
                yield from self._given(f"{field}.vlan", key, vlan, "tag", zoned)
            yield from self._one(f"{field}.mac", key, card.mac, "macaddr")
            yield from self._one(f"{field}.mtu", key, card.mtu, "mtu")
            yield from self._one(f"{field}.firewall", key, card.firewall, "firewall")
            yield from self._one(f"{field}.trunks", key, ";".join(sorted(str(one) for one in card.trunks)), "trunks")

    def _given(self, field: str, key: str, value: str | int, part: str, zoned: str) -> Iterator[Wanted]:
        """The field, declared by itself or by the card's zone."""
        yield from self._one(field, key, value, part, given=field if field in self.declared else zoned or field)

    def _zone(self, card: Network) -> Zone | None:
        return self.site.zones.get(card.zone)

    def _cloud_init(self) -> Iterator[Wanted]:
        """Nothing for an adopted machine: its first boot was not ours, and what cloud-init was told then is its own."""
        if self.host.machine.install is Install.ADOPT:
            return
        first, bootstrap = self.host.machine.network, self.host.machine.bootstrap
        yield from self._one("bootstrap.user", "ciuser", bootstrap.user)
        if self.keys:
            keys = "\n".join(sorted(key.strip() for key in self.keys))
            yield from self._one("bootstrap.authorized_keys", "sshkeys", keys)
        zone = self._zone(first)
        yield Wanted(field="cloud-init.upgrade", key="ciupgrade", value="0")
        for index, field, card in self._cards():
            yield from self._address(index, field, card)
        search = " ".join(first.search) or (f"{zone.name}.{self.site.domain}" if zone else self.site.domain)
        where = self.declared.get("network.search", "")
        yield Wanted(field="network.search", key="searchdomain", value=meaning("searchdomain", search), where=where)
        servers = first.dns or (zone.dns if zone else ())
        if servers:
            dns = meaning("nameserver", " ".join(servers))
            yield Wanted(field="network.dns", key="nameserver", value=dns, where=self.declared.get("network.dns", ""))

    def _address(self, index: int, field: str, card: Network) -> Iterator[Wanted]:
        zone, key = self._zone(card), f"ipconfig{index}"
        gateway = card.gateway or (zone.gateway if zone and index == 0 else "")
        values = {
            "ip": ("address", card.address if card.static else "dhcp"),
            "gw": ("gateway", gateway if card.static else ""),
            "ip6": ("ip6", "" if card.ip6 == "off" else card.ip6),
            "gw6": ("gateway6", card.gateway6),
        }
        for part, (name, value) in values.items():
            where = self.declared.get(f"{field}.{name}", "")
            if f"{field}.{name}" in self.declared or part in ("ip", "gw"):
                yield Wanted(field=f"{field}.{name}", key=key, part=part, value=value.lower(), where=where)


def _gib(mib: int) -> str:
    """A disk's size in whole GiB, which is how one is grown."""
    return size(f"{-(-mib // 1024)}G")
