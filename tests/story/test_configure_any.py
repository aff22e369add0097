"""Any inventory converges in one run, and an interruption anywhere changes no end."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest

from pvenix.model.errors import ExitCode
from pvenix.model.plan import Task
from tests.sim.golden import Golden
from tests.sim.ports import Calls
from tests.sim.world import KILLED
from tests.story.configure_scene import boots, configure, disk, says
from tests.story.fault_scene import OLD, Scene, row, scene

pytestmark = pytest.mark.sim


CHOICES: dict[str, list[Any]] = {
    "cores": [1, 4, 8],
    "memory": ["2G", "6G"],
    "balloon": ["1G"],
    "disk": ["32G", "48G"],
    "tags+": [["mine"], ["a", "b"]],
    "proxmox__onboot": [True, False],
    "proxmox__protect": [False],
    "proxmox__notes": ["Ann", "two\nlines"],
    "proxmox__disks": [disk(), disk("10G", "tanka1"), [*disk(), {"slot": "scsi2", "size": "1G", "ssd": True}]],
    "proxmox__storage": ["tankb1"],
    "hardware__numa": [True, False],
    "hardware__serial": [True, False],
    "hardware__display": ["none", "serial0"],
    "hardware__cpu": ["host", "x86-64-v2-AES"],
    "hardware__scsihw": ["virtio-scsi-single"],
    "hardware__tpm": [True, False],
    "hardware__hotplug": ["disk,network", "network"],
    "hardware__ostype": ["l26", "other"],
    "network__vlan": [7, 99],
    "network__mtu": [1400],
    "network__firewall": [True, False],
    "network__trunks": [[5, 12]],
    "network__mac": ["BC:24:11:0A:0B:0C"],
    "network__ip6": ["off", "dhcp", "fd00::5/64"],
    "network__dns": [["1.1.1.1", "9.9.9.9"]],
    "network__search": [["a.example", "b.example"]],
    "nics": [[{"zone": "mgmt"}], [{"bridge": "lan", "vlan": 4, "address": "10.7.0.2/24"}, {"zone": "srvHome"}]],
}


@pytest.mark.parametrize("seed", range(12))
def test_any_change_converges_in_one_run_and_the_next_one_writes_nothing(golden: Golden, seed: int) -> None:
    drawn = random.Random(seed)

    async def act(site: Scene) -> None:
        for _ in range(4):
            chosen = {name: drawn.choice(values) for name, values in CHOICES.items() if drawn.random() < 0.4}
            says(site, **{"proxmox__protect": False, "disk": "48G", **chosen} | {"disk": "48G"})
            done = await configure(site, reboot=True, offline=True)
            assert done.code is ExitCode.OK, (chosen, done.why)
            assert done.sent("/status/reboot") + done.sent("/status/shutdown") <= 1
            writes, again = site.writes, await configure(site)
            assert (again.code, site.writes, site.vm(OLD).pending) == (ExitCode.OK, writes, {}), (chosen, again.why)

    scene(golden, act)


@pytest.mark.timeout(180)
@row("F39", "F32")
@pytest.mark.parametrize("offline", [False, True])
def test_killed_at_any_call_it_ends_as_if_nothing_had_happened_and_reboots_once(
    golden: Golden, *, offline: bool
) -> None:
    def everything(site: Scene) -> None:
        says(
            site, cores=6, disk="64G", update__reboot="auto", network__address="10.69.13.77/24", proxmox__disks=disk(),
            proxmox__protect=False, hardware__scsihw="virtio-scsi-single",
        )  # fmt: skip

    task = Task(verb="configure", args={"offline": offline})

    async def whole(site: Scene) -> None:
        everything(site)
        assert (await site.run(task, hosts=(OLD,))).code is ExitCode.OK
        ends.update(_end(site), calls=site.sim.calls.count)

    async def killed(site: Scene, number: int, *, before: bool) -> None:
        everything(site)
        boot = boots(site)
        run = site.sim.plan("killed", (OLD,), task)
        code = await site.sim.run(run, Calls(die_at=number, before=before))
        code = await site.sim.run(run, Calls(), resume=True) if code is KILLED else code
        assert code is ExitCode.OK, (number, before)
        assert {**_end(site), "calls": ends["calls"]} == ends, (number, before)
        done = [one.type for one in site.site.cluster.tasks.values()]
        assert boots(site) != boot, (number, before)
        powered = [done.count(kind) for kind in ("qmreboot", "qmshutdown", "qmstart")]
        assert powered == ([0, 1, 1] if offline else [1, 0, 0]), (number, before)

    ends: dict[str, object] = {}
    scene(golden, whole)
    for number in range(1, int(str(ends["calls"])) + 1):
        for before in (True, False):
            scene(golden, partial(killed, number=number, before=before))


def _end(site: Scene) -> dict[str, object]:
    """The VM without what differs from scene to scene."""
    vm = site.vm(OLD)
    config = {key: value for key, value in vm.config.items() if key not in ("description", "vmgenid")}
    return {"config": config, "pending": dict(vm.pending), "addresses": str(site.guest(OLD).addresses)}


@pytest.mark.parametrize("effect", [True, False])
def test_a_lost_answer_is_looked_at_before_anything_is_sent_again(golden: Golden, *, effect: bool) -> None:
    async def act(site: Scene) -> None:
        says(site, network__vlan=99)
        site.arm("pve-596", method="PUT", path="/config", effect=effect)
        done = await configure(site)
        assert done.sent("/config") == 1
        assert done.code is (ExitCode.OK if effect else ExitCode.UNKNOWN), done.why
        assert (await configure(site)).code is ExitCode.OK
        assert "tag=99" in str(site.vm(OLD).config["net0"])

    scene(golden, act)
