"""What a node tells of itself: devices, names, time, capabilities, logs (shapes from pve-manager and qemu-server)."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pvenix_lab.site.pve.call import Call, Page, route
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.flavour import Flavour

_NODE = "/nodes/{node}"
_QEMU_MACHINES = {"pc-i440fx": "i440fx", "pc-q35": "q35"}
_MACHINE_VERSIONS = ("9.2+pve1", "9.2", "9.1", "9.0", "8.2", "8.1", "8.0", "7.2")
_CPU_MODELS = {
    "default": ("host", "kvm64", "max", "qemu64", "x86-64-v2", "x86-64-v2-AES", "x86-64-v3", "x86-64-v4"),
    "AuthenticAMD": ("EPYC", "EPYC-Genoa", "EPYC-Milan", "EPYC-Rome"),
    "GenuineIntel": ("Cascadelake-Server", "Haswell", "Icelake-Server", "SapphireRapids", "Skylake-Server"),
}


@route("GET", _NODE + "/version")
async def version(call: Call) -> dict[str, str]:
    """The version of the node's manager."""
    release = call.flavour.release
    return {"version": release.version, "release": call.flavour.value, "repoid": release.repoid}


@route("GET", _NODE + "/time")
async def time(call: Call) -> dict[str, Any]:
    """The node's clock: seconds since the epoch, the same shifted by the time zone, and the zone."""
    now, zone = int(call.site.wall()), str(call.node().settings.get("timezone", "UTC"))
    place = UTC if zone == "UTC" else ZoneInfo(zone)  # a machine may have no time zone database
    offset = datetime.fromtimestamp(now, place).utcoffset()
    return {"time": now, "localtime": now + int(offset.total_seconds() if offset else 0), "timezone": zone}


@route("PUT", _NODE + "/time")
async def set_timezone(call: Call) -> None:
    """Another time zone."""
    try:
        ZoneInfo(call.text("timezone"))
    except (ZoneInfoNotFoundError, ValueError):
        raise ParameterError({"timezone": "No such timezone."}) from None
    call.node().settings["timezone"] = call.text("timezone")


@route("GET", _NODE + "/dns")
async def dns(call: Call) -> dict[str, str]:
    """The node's resolver."""
    return {"search": "internal", "dns1": call.cluster.resolver, **call.node().settings.get("dns", {})}


@route("PUT", _NODE + "/dns")
async def set_dns(call: Call) -> None:
    """Another resolver."""
    call.node().settings["dns"] = {name: call.text(name) for name in call.params if name != "node"}


@route("GET", _NODE + "/hosts")
async def hosts(call: Call) -> dict[str, str]:
    """The node's hosts file and its digest."""
    lines = ["127.0.0.1 localhost.localdomain localhost"]
    lines += [f"{node.ip} {node.name}.internal {node.name}" for node in call.cluster.nodes.values()]
    text = str(call.node().settings.get("hosts", "\n".join(lines) + "\n"))
    return {"data": text, "digest": hashlib.sha1(text.encode()).hexdigest()}  # noqa: S324  as the backend


@route("POST", _NODE + "/hosts")
async def set_hosts(call: Call) -> None:
    """Write the hosts file; a digest must be the present one."""
    if "digest" in call.params and call.text("digest") != (await hosts(call))["digest"]:
        raise PveError("detected modified configuration - file changed by other user? Try again.")
    call.node().settings["hosts"] = call.text("data")


@route("GET", _NODE + "/hardware")
async def hardware(_call: Call) -> list[dict[str, str]]:
    """The kinds of devices."""
    return [{"type": "pci"}, {"type": "usb"}]


@route("GET", _NODE + "/hardware/pci")
async def pci(call: Call) -> list[dict[str, Any]]:
    """The PCI devices that a mapping names on the node; others are not simulated."""
    result = []
    for mapping in call.cluster.mappings.values():
        path = mapping.paths.get(call.text("node"))
        if path is not None:
            vendor, _, device = mapping.vendor_device.partition(":")
            names = {"vendor": f"0x{vendor}", "device": f"0x{device}", "class": "0x030000"}
            result.append({"id": path, "iommugroup": 1, "device_name": mapping.description, **names})
    return result


@route("GET", _NODE + "/hardware/pci/{pci-id-or-mapping}")
async def pci_index(_call: Call) -> list[dict[str, str]]:
    """The sub-directories of a device."""
    return [{"method": "mdev"}]


@route("GET", _NODE + "/hardware/pci/{pci-id-or-mapping}/mdev")
async def mediated(_call: Call) -> list[dict[str, Any]]:
    """No mediated devices: none are simulated."""
    return []


@route("GET", _NODE + "/hardware/usb")
async def usb(_call: Call) -> list[dict[str, Any]]:
    """No USB devices: none are simulated."""
    return []


@route("GET", _NODE + "/capabilities")
async def capabilities(_call: Call) -> list[dict[str, str]]:
    """The sub-directories."""
    return [{"name": "qemu"}]


@route("GET", _NODE + "/capabilities/qemu")
async def qemu_capabilities(call: Call) -> list[dict[str, str]]:
    """The sub-directories."""
    more = ("cpu-flags", "migration") if call.flavour is Flavour.PVE_9_2 else ()
    return [{"name": name} for name in ("cpu", "machines", *more)]


@route("GET", _NODE + "/capabilities/qemu/cpu")
async def cpu_models(_call: Call) -> list[dict[str, Any]]:
    """Some of the CPU models of QEMU."""
    return [
        {"name": name, "vendor": vendor, "custom": 0} for vendor, names in _CPU_MODELS.items() for name in sorted(names)
    ]


@route("GET", _NODE + "/capabilities/qemu/cpu-flags")
async def cpu_flags(_call: Call) -> list[dict[str, Any]]:
    """Some of the CPU flags that a VM may be given (9.2)."""
    return [{"name": name, "description": name} for name in ("aes", "md-clear", "nested-virt", "pcid", "spec-ctrl")]


@route("GET", _NODE + "/capabilities/qemu/migration")
async def migration(_call: Call) -> dict[str, Any]:
    """What a live migration can do (9.2)."""
    return {"has-dbus-vmstate": 1}


@route("GET", _NODE + "/capabilities/qemu/machines")
async def machines(_call: Call) -> list[dict[str, str]]:
    """Some of the machine types of QEMU."""
    return [
        {"id": f"{prefix}-{number}", "type": kind, "version": number}
        for prefix, kind in _QEMU_MACHINES.items()
        for number in _MACHINE_VERSIONS
    ]


@route("GET", _NODE + "/replication")
async def replication(call: Call) -> list[dict[str, Any]]:
    """The replication jobs whose source is a VM of the node."""
    jobs = call.cluster.sections.get("replication", {})
    wanted = call.number("guest")
    return [
        {"id": name, "vmtype": "qemu", "fail_count": 0, "last_sync": 0, "source": call.text("node"), **job}
        for name, job in jobs.items()
        if wanted in {0, job["guest"]}
        and _is_here(call, job["guest"])
        and call.allowed(f"/vms/{job['guest']}", "VM.Audit")
    ]


@route("GET", _NODE + "/replication/{id}")
async def replication_index(call: Call) -> list[dict[str, str]]:
    """The sub-directories of a job."""
    _job(call)
    return [{"name": name} for name in ("schedule_now", "log", "status")]


@route("GET", _NODE + "/replication/{id}/status")
async def replication_status(call: Call) -> dict[str, Any]:
    """State of one job; a replication is never run here, so there is no last one."""
    return {"id": call.text("id"), "vmtype": "qemu", "fail_count": 0, "last_sync": 0, **_job(call)}


def _job(call: Call) -> dict[str, Any]:
    job = call.cluster.sections.get("replication", {}).get(call.text("id"))
    if job is None:
        raise PveError(f"no such replication job '{call.text('id')}'")
    call.require(f"/vms/{job['guest']}", "VM.Audit")
    return job


def _is_here(call: Call, guest: int) -> bool:
    vm = call.cluster.vms.get(guest)
    return vm is not None and vm.node == call.text("node")


@route("GET", _NODE + "/syslog")
async def syslog(call: Call) -> Page:
    """The node's log: the ends of its tasks."""
    lines = _log_lines(call)
    start, limit = call.number("start"), call.number("limit", 50)
    shown = lines[start : start + limit] if limit else lines[start:]
    return Page(items=[{"n": n, "t": text} for n, text in enumerate(shown, start=start + 1)], total=len(lines))


@route("GET", _NODE + "/journal")
async def journal(call: Call) -> list[str]:
    """The same as text, the newest `lastentries` lines."""
    lines = _log_lines(call)
    return lines[-call.number("lastentries") :] if "lastentries" in call.params else lines


def _log_lines(call: Call) -> list[str]:
    tasks = [
        task for task in call.cluster.tasks.values() if task.node == call.text("node") and task.endtime is not None
    ]
    return [
        f"{datetime.fromtimestamp(task.endtime or 0, UTC):%b %d %H:%M:%S} {task.node} pvedaemon[1200]: "
        f"<{task.owner}> end task {task.upid} {task.exitstatus}"
        for task in tasks
    ]


@route("GET", _NODE + "/report")
async def report(call: Call) -> str:
    """A text for support; only its head is simulated."""
    node, release = call.node(), call.flavour.release
    head = f"pve-manager: {release.version} (running version: {release.version}/{release.repoid})"
    return f"==== general system info ====\n\n# hostname\n{node.name}\n\n# pveversion --verbose\n{head}\n"


@route("GET", _NODE + "/query-url-metadata")
async def url_metadata(call: Call) -> dict[str, Any]:
    """Refused: nothing outside the site can be reached."""
    host = re.sub(r"^https?://([^/:]+).*", r"\1", call.text("url"))
    raise PveError(f"500 Can't connect to {host}:443 (Name or service not known)")
