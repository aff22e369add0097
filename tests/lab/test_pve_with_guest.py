"""The cluster and the real guest of the lab together: a clone boots, shows itself through the agent and answers there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.core import Timings
from pvenix_lab.site.guest.install import install
from pvenix_lab.site.guest.store import System
from pvenix_lab.site.guest.vfs import VirtualRoot
from pvenix_lab.site.whole import whole_site
from tests.lab.pve_support import EPOCH, KEY, KEY_ENCODED, NODE, PveLab, run_virtual

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

VM = f"{NODE}/qemu/250"
AGENT = f"{VM}/agent"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"


def in_whole_site(root: Path, story: Callable[[PveLab], Awaitable[None]], *, timings: Timings | None = None) -> None:
    """Run a story on a site with the lab's own guests and an installed template."""
    lab = PveLab(root)
    lab.site = whole_site(root=root, seed=7, wall=lab.wall, timings=timings)
    system = System(host_name="", nixos_version="25.05.1", nixpkgs_revision="0" * 40, kernel="6.12.30")
    path = "/nix/store/0000000000000000000000000000000a-nixos-system-nixos-25.05.1"

    async def main() -> None:
        async with lab.site:
            install(VirtualRoot(lab.site.guest_root(8100)), path, system, now=EPOCH)
            await story(lab)

    run_virtual(main)
    assert lab.site.defects == []


async def booted(lab: PveLab, vmid: int = 250, name: str = "dns01") -> None:
    """A configured clone, started, its agent up and its first boot done."""
    assert await lab.clone(vmid, name) == "OK"
    vm = f"{NODE}/qemu/{vmid}"
    written = await lab.ask(
        "PUT",
        f"{vm}/config",
        ciuser="tappaas",
        sshkeys=KEY_ENCODED,
        ipconfig0=f"ip=10.69.13.{vmid - 200}/24,gw=10.69.13.1",
    )
    assert written.status == 200
    assert await lab.done("POST", f"{vm}/status/start") == "OK"
    assert (await lab.ask("POST", f"{vm}/agent/ping")).status == 200
    times = lab.site.timings
    await asyncio.sleep(times.ssh_s + times.cloud_init_s + 0.1)


async def host_key(lab: PveLab, vmid: int = 250) -> str:
    """The host key as the agent delivers it."""
    answer = await lab.get(f"{NODE}/qemu/{vmid}/agent/file-read", file=HOST_KEY)
    return str(answer["content"])


def test_a_clone_boots_and_is_found_by_its_mac_through_the_agent(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        interfaces: list[dict[str, Any]] = (await lab.get(f"{AGENT}/network-get-interfaces"))["result"]
        mac = lab.site.cluster.vms[250].macs()["net0"].lower()
        found = next(entry for entry in interfaces if entry["hardware-address"] == mac)
        addresses = {(a["ip-address"], a["prefix"]) for a in found["ip-addresses"] if a["ip-address-type"] == "ipv4"}
        assert addresses == {("10.69.13.50", 24)}
        assert (await lab.get(f"{AGENT}/get-host-name"))["result"]["host-name"] == "dns01"

    in_whole_site(tmp_path, story)


def test_the_host_key_is_made_at_first_boot_and_is_another_one_on_every_clone(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab, 250, "dns01")
        await booted(lab, 251, "dns02")
        first, second = await host_key(lab, 250), await host_key(lab, 251)
        assert first.startswith("ssh-ed25519 ")
        assert first.split()[1] != second.split()[1]
        await lab.done("POST", f"{VM}/status/reboot")
        await lab.ask("POST", f"{AGENT}/ping")
        assert await host_key(lab) == first

    in_whole_site(tmp_path, story)


def test_a_vm_that_comes_back_under_its_id_has_another_host_key(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        before = await host_key(lab)
        await lab.done("POST", f"{VM}/status/stop")
        await lab.done("DELETE", VM, purge="1")
        await booted(lab)
        assert await host_key(lab) != before

    in_whole_site(tmp_path, story)


def test_a_program_runs_through_the_agent_and_a_missing_one_breaks_the_reply(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        started = await lab.ask("POST", f"{AGENT}/exec", command=["hostname"])
        assert started.status == 200, started
        await asyncio.sleep(0.1)
        result = await lab.get(f"{AGENT}/exec-status", pid=str(started.data["pid"]))
        assert (result["exited"], result["exitcode"], result["out-data"]) == (1, 0, "dns01\n")
        assert (await lab.ask("POST", f"{AGENT}/exec", command="/bin/echo hi")).status == 596

    in_whole_site(tmp_path, story)


def test_a_rolled_back_disk_has_the_old_files_and_the_old_keys(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        key = await host_key(lab)
        await lab.done("POST", f"{VM}/snapshot", snapname="before")
        assert (await lab.ask("POST", f"{AGENT}/file-write", file="/var/lib/marker", content="x")).status == 200
        assert await lab.done("POST", f"{VM}/snapshot/before/rollback", start="1") == "OK"
        assert (await lab.ask("POST", f"{AGENT}/ping")).status == 200
        assert (await lab.ask("GET", f"{AGENT}/file-read", file="/var/lib/marker")).status == 500
        assert await host_key(lab) == key

    in_whole_site(tmp_path, story)


def test_the_authorised_keys_come_from_the_cloud_init_drive(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        kept = (lab.site.guest_root(250) / "home/tappaas/.ssh/authorized_keys").read_text()
        assert KEY in kept

    in_whole_site(tmp_path, story)
