"""What the schema has and the site does not do: it says so with a 501, and each is listed here with the reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pvenix_lab.site.pve.api import HANDLER_MODULES
from pvenix_lab.site.pve.call import HANDLERS
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.schema import methods
from tests.lab.pve_support import PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path

QEMU, STORAGE = "/nodes/{node}/qemu/{vmid}", "/nodes/{node}/storage/{storage}"
REASONS: dict[str, tuple[str, ...]] = {
    "the site has the two realms of every installation and no directory servers": (
        "POST /access/domains",
        "DELETE /access/domains/{realm}",
        "PUT /access/domains/{realm}",
        "POST /access/domains/{realm}/sync",
    ),
    "no second factors": ("PUT /access/users/{userid}/unlock-tfa",),
    "the cluster is made; no node joins it": ("GET /cluster/config/join", "POST /cluster/config/join"),
    "zones and vnets are shown, addresses are not managed": (
        *(f"{method} /cluster/sdn/vnets/{{vnet}}/ips" for method in ("DELETE", "POST", "PUT")),
        *(f"{method} /cluster/sdn/vnets/{{vnet}}/subnets" for method in ("GET", "POST")),
        *(f"{method} /cluster/sdn/vnets/{{vnet}}/subnets/{{subnet}}" for method in ("DELETE", "GET", "PUT")),
    ),
    "a node's own network is not changed": (
        *(f"{method} /nodes/{{node}}/network" for method in ("DELETE", "POST", "PUT")),
        *(f"{method} /nodes/{{node}}/network/{{iface}}" for method in ("DELETE", "PUT")),
    ),
    "nodes are switched off by faults": ("POST /nodes/{node}/status",),
    "options, rules and aliases of a VM's firewall are kept; nothing is filtered, so no sets and no log": (
        *(f"{method} {QEMU}/firewall/ipset" for method in ("GET", "POST")),
        *(f"{method} {QEMU}/firewall/ipset/{{name}}" for method in ("DELETE", "GET", "POST")),
        *(f"{method} {QEMU}/firewall/ipset/{{name}}/{{cidr}}" for method in ("DELETE", "GET", "PUT")),
        f"GET {QEMU}/firewall/log",
        f"GET {QEMU}/firewall/refs",
    ),
    "no screen and no monitor behind the VM": (
        f"POST {QEMU}/monitor",
        f"POST {QEMU}/spiceproxy",
        f"GET {QEMU}/vncwebsocket",
        "POST /nodes/{node}/vncshell",
        f"POST {QEMU}/dbus-vmstate",
    ),
    "one cluster only": (f"POST {QEMU}/mtunnel", f"GET {QEMU}/mtunnelwebsocket", f"POST {QEMU}/remote_migrate"),
    "nothing measures over time": (
        *(f"GET {QEMU}/{name}" for name in ("rrd", "rrddata")),
        *(f"GET {STORAGE}/{name}" for name in ("rrd", "rrddata")),
    ),
    "files inside of backups, foreign hypervisors and copies of volumes are not modelled": (
        f"POST {STORAGE}/content/{{volume}}",
        f"GET {STORAGE}/file-restore/download",
        f"GET {STORAGE}/file-restore/list",
        f"GET {STORAGE}/import-metadata",
    ),
    "9.2: no fabrics and no routing": (
        *(f"GET /nodes/{{node}}/sdn/fabrics/{{fabric}}{name}" for name in ("", "/interfaces", "/neighbors", "/routes")),
        *(f"GET /nodes/{{node}}/sdn/vnets/{{vnet}}{name}" for name in ("", "/mac-vrf")),
        *(f"GET /nodes/{{node}}/sdn/zones/{{zone}}/{name}" for name in ("bridges", "ip-vrf")),
    ),
    "9.2: the HA manager cannot be disarmed": (
        "POST /cluster/ha/status/arm-ha",
        "POST /cluster/ha/status/disarm-ha",
    ),
}
LISTED = {call for calls in REASONS.values() for call in calls}


def unanswered(flavour: Flavour) -> set[str]:
    """Calls of a release's schema that have no handler."""
    return {f"{method} {path}" for method, path in methods(flavour) if (method, path) not in HANDLERS}


def test_every_call_of_the_schemas_is_answered_or_listed_with_a_reason() -> None:
    assert HANDLER_MODULES
    assert unanswered(Flavour.PVE_8_4) | unanswered(Flavour.PVE_9_2) == LISTED
    assert len(LISTED) <= 57, "the list may only shrink"


@pytest.mark.parametrize("flavour", list(Flavour), ids=lambda flavour: str(flavour.value))
def test_what_is_not_simulated_is_a_501_with_its_path(tmp_path: Path, flavour: Flavour) -> None:
    async def story(lab: PveLab) -> None:
        values = {"node": "tappaas1", "vmid": "8100", "storage": "local", "userid": "viewer@pve", "iface": "lan"}
        for call in sorted(unanswered(flavour)):
            method, _, pattern = call.partition(" ")
            path = re.sub(r"\{([^}]+)\}", lambda found: values.get(found[1], "xx"), pattern)
            response = await lab.ask(method, path, lab.root)
            assert (response.status, response.reason) == (501, f"Method '{call}' not simulated"), call

    in_lab(tmp_path, story, pve=flavour)


@pytest.mark.parametrize(
    ("method", "path", "known_to"),
    [
        ("GET", "/cluster/ha/rules", Flavour.PVE_9_2),
        ("GET", "/nodes/tappaas1/capabilities/qemu/cpu-flags", Flavour.PVE_9_2),
        ("GET", "/cluster/ha/groups", None),
    ],
)
def test_a_release_knows_its_own_calls_only(tmp_path: Path, method: str, path: str, known_to: Flavour | None) -> None:
    for flavour in Flavour:

        async def story(lab: PveLab) -> None:
            admin = lab.token("admin@pve!admin", {"/": lab.site.cluster.flavour.privileges})
            response = await lab.ask(method, path, admin)
            known = known_to in {None, lab.site.cluster.flavour}
            assert (response.status == 200) == known
            assert known or response.reason == f"Method '{method} {path}' not implemented"

        in_lab(tmp_path / flavour.value, story, pve=flavour)


@pytest.mark.parametrize(
    ("path", "params", "only_on"),
    [
        ("config", {"scsi0": "tanka1:1,cyls=10"}, Flavour.PVE_8_4),
        ("config", {"allow-ksm": "0"}, Flavour.PVE_9_2),
        ("config", {"agent": "1,guest-fsfreeze=0"}, Flavour.PVE_9_2),
        ("agent/file-read", {"file": "/etc/x", "count": "10"}, Flavour.PVE_9_2),
    ],
)
def test_a_parameter_of_one_release_is_faulty_in_the_other(
    tmp_path: Path, path: str, params: dict[str, str], only_on: Flavour
) -> None:
    for flavour in Flavour:

        async def story(lab: PveLab) -> None:
            method = "PUT" if path == "config" else "GET"
            admin = lab.token("admin@pve!admin", {"/": lab.site.cluster.flavour.privileges})
            response = await lab.ask(method, f"/nodes/tappaas1/qemu/8100/{path}", admin, **params)
            assert (response.status == 400) == (lab.site.cluster.flavour is not only_on), response

        in_lab(tmp_path / flavour.value, story, pve=flavour)
