"""Boots that get stuck, power that goes in mid-activation, and what a clone takes along when its template was not cleaned."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pvenix_lab.site.core import Site
from pvenix_lab.site.disk import clone_disk
from pvenix_lab.site.guest.fabric import Network, fabric_of
from pvenix_lab.site.guest.firstboot import GIT_KEY, HOST_KEY
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.whole import new_guest
from tests.lab.guest_support import Prepared, build, edit, give_cloud_init, root, run, vm_of

SWITCH = "bin/switch-to-configuration"
PROFILE = "/nix/var/nix/profiles/system"


async def make_default(guest: Guest, system: str) -> None:
    """Make a system the current generation and the boot default, without running it."""
    assert (await root(guest, "nix-env", "-p", PROFILE, "--set", system)).status == 0
    assert (await root(guest, f"{system}/{SWITCH}", "boot")).status == 0


def silent(guest: Guest) -> bool:
    """True if neither the agent nor SSH answers."""
    return not guest.agent_ready() and not guest.ssh_ready and not guest.running


async def test_a_kernel_that_panics_leaves_agent_and_ssh_silent_until_another_generation_is_chosen(
    builder: Guest, prepared: Prepared
) -> None:
    old, new = builder.current_path, await build(builder, prepared.commit)
    builder.site.faults.arm("new-system-does-not-boot", "dns01")
    await make_default(builder, new)
    builder.restart_now()
    assert silent(builder)
    assert "Kernel panic - not syncing" in builder.console.text
    builder.restart_now()
    assert silent(builder)
    builder.tree.write(
        "/boot/loader/loader.conf", "default nixos-generation-1.conf\n"
    )  # what a person picks in the menu
    builder.boot_now()
    assert (builder.current_path, builder.ssh_ready) == (old, True)
    assert builder.tree.resolve(PROFILE) == new


async def test_a_controller_that_the_initrd_has_no_driver_for_ends_the_boot(builder: Guest, prepared: Prepared) -> None:
    builder.vm.config["scsihw"] = "lsi"
    builder.restart_now()
    assert silent(builder)
    assert "An error occurred in stage 1 of the boot process" in builder.console.text
    builder.vm.config["scsihw"] = "virtio-scsi-single"
    builder.boot_now()
    assert builder.ssh_ready


async def test_a_boot_default_that_was_deleted_does_not_boot(builder: Guest, prepared: Prepared) -> None:
    new = await build(builder, prepared.commit)
    await make_default(builder, new)
    builder.tree.remove(new)
    builder.restart_now()
    assert silent(builder)
    assert f"stage 2 init script (/mnt-root/{new}/init) not found" in builder.console.text


async def test_a_guest_that_booted_shows_its_name_on_the_console(guest: Guest) -> None:
    assert guest.console.text.rstrip().endswith("dns01 login:")


async def test_the_booted_kernel_stays_until_the_next_boot(builder: Guest) -> None:
    before = (await run(builder, "uname", "-r")).out
    text = '{ pkgs, ... }:\n{\n  imports = [ ../configuration.nix ];\n  networking.hostName = "dns01";\n'
    text += "  boot.kernelPackages = pkgs.linuxPackages_6_18;\n}\n"
    new = await build(builder, edit(builder, "nix/hosts/dns01.nix", text))
    await make_default(builder, new)
    await root(builder, f"{new}/{SWITCH}", "test")
    assert (await run(builder, "uname", "-r")).out == before
    paths = (
        await run(builder, "readlink", "-f", "/run/booted-system/kernel", "/run/current-system/kernel")
    ).out.split()
    assert paths[0] != paths[1]
    builder.restart_now()
    assert (await run(builder, "uname", "-r")).out.startswith("6.18.")


@pytest.mark.parametrize("with_profile", [True, False], ids=["after the profile was set", "before it was set"])
async def test_a_power_cut_in_the_middle_of_an_activation_leaves_the_disk_as_it_was_then(
    builder: Guest, prepared: Prepared, *, with_profile: bool
) -> None:
    old, new = builder.current_path, await build(builder, prepared.commit)
    if with_profile:
        await root(builder, "nix-env", "-p", PROFILE, "--set", new)
    builder.site.faults.arm("activation-hangs", "dns01")
    await root(builder, "systemd-run", "--unit=a", "--no-block", f"{new}/{SWITCH}", "switch")
    async with asyncio.timeout(5):
        while builder.current_path != new:
            await builder.tree.changed()
    assert builder.tree.exists("/run/nixos/switch-to-configuration.lock")
    await builder.power_off(graceful=False)
    builder.site.faults.clear()
    builder.boot_now()
    boots = new if with_profile else old  # the boot loader was written before anything was stopped
    assert [builder.current_path, builder.tree.resolve(PROFILE)] == [boots, new if with_profile else old]
    assert not builder.tree.exists("/run/nixos")
    assert "a.service" not in builder.units.units
    assert (await root(builder, f"{new}/{SWITCH}", "test")).status == 0


async def test_an_activation_after_an_interrupted_one_starts_what_that_had_stopped(
    builder: Guest, prepared: Prepared
) -> None:
    await root(builder, f"{await build(builder, prepared.commit)}/{SWITCH}", "test")
    module = (builder.root / "etc/nixos/nix/modules/role-dns.nix").read_text()
    changed = edit(builder, "nix/modules/role-dns.nix", module.replace("prefetch = true", "prefetch = false"))
    new = await build(builder, changed)
    builder.site.faults.arm("activation-hangs", "dns01")
    await root(builder, "systemd-run", "--unit=a", "--no-block", f"{new}/{SWITCH}", "test")
    async with asyncio.timeout(5):
        while builder.current_path != new:
            await builder.tree.changed()
    await root(builder, "systemctl", "stop", "a")
    assert (await run(builder, "systemctl", "is-active", "unbound")).status != 0
    again = await root(builder, f"{new}/{SWITCH}", "test")
    assert "starting the following units: unbound.service" in again.err
    assert (await run(builder, "systemctl", "is-active", "unbound")).status == 0
    assert not builder.tree.exists("/run/nixos/start-list")


@pytest.mark.parametrize(
    ("fault", "status", "switched"),
    [
        ("activation-script-fails", 2, True),
        ("daemon-reload-fails", 3, True),
        ("init-changed", 100, False),
        ("switch-inhibited", 1, False),
        ("bootloader-fails", 1, False),
    ],
)
async def test_every_exit_status_of_an_activation_says_how_far_it_came(
    builder: Guest, prepared: Prepared, fault: str, status: int, *, switched: bool
) -> None:
    old, new = builder.current_path, await build(builder, prepared.commit)
    builder.site.faults.arm(fault, "dns01")
    ran = await root(builder, f"{new}/{SWITCH}", "switch")
    assert (ran.status, builder.current_path) == (status, new if switched else old)
    assert ran.err
    again = await root(builder, f"{new}/{SWITCH}", "switch")
    assert (again.status, builder.current_path) == (0, new)


async def test_an_inhibitor_does_not_hold_up_boot_nor_one_who_knows_better(builder: Guest, prepared: Prepared) -> None:
    new = await build(builder, prepared.commit)
    builder.site.faults.arm("switch-inhibited", "dns01")
    assert (await root(builder, f"{new}/{SWITCH}", "boot")).status == 0
    assert (await root(builder, "env", "NIXOS_NO_CHECK=1", f"{new}/{SWITCH}", "test")).status == 0
    assert (await root(builder, f"{new}/{SWITCH}", "check")).status == 1


def clones_of(site: Site, disk: Path, count: int = 2) -> list[Guest]:
    """Clones on a network with DHCP, each with its own MAC address and its own cloud-init drive, booted."""
    fabric_of(site).networks.append(
        Network(name="lan", bridge="lan", vlan=13, cidr="10.69.13.0/24", gateway="10.69.13.1")
    )
    found = []
    for number in range(count):
        clone_disk(site, disk, site.guest_root(300 + number))
        vm = vm_of(f"web-{number:03}", 300 + number, "ip=dhcp")
        vm.config["net0"] = f"virtio=BC:24:11:00:00:0{number},bridge=lan,tag=13"
        give_cloud_init(vm, instance=vm.name, key="ssh-ed25519 AAAAC3Nza operator")
        vm.cloudinit["network-config"] = "version: 1\nconfig: []\n"
        guest = new_guest(site, vm, site.guest_root(300 + number))
        site.guests[300 + number] = guest
        guest.boot_now()
        found.append(guest)
    return found


async def test_clones_of_a_clean_template_have_identities_of_their_own(site: Site, prepared: Prepared) -> None:
    one, two = clones_of(site, prepared.disk)
    for path in ("/etc/machine-id", HOST_KEY, GIT_KEY):
        assert one.tree.read_text(path) != two.tree.read_text(path), path
    assert one.addresses != two.addresses


async def test_clones_of_a_template_with_a_machine_id_get_the_same_address_and_share_its_keys(
    site: Site, prepared: Prepared, tmp_path: Path
) -> None:
    stale = new_guest(site, vm_of("template", 299), tmp_path / "template")
    clone_disk(site, prepared.disk, stale.root)
    stale.boot_now()
    await stale.power_off(graceful=True)
    one, two = clones_of(site, stale.root)
    assert one.tree.read_text("/etc/machine-id") == two.tree.read_text("/etc/machine-id")
    assert one.addresses[0] == two.addresses[0]
    assert one.tree.read_text(GIT_KEY) == two.tree.read_text(GIT_KEY)
    # the fleet tells cloud-init to leave host keys alone, so a template must have none
    assert one.tree.read_text(HOST_KEY) == two.tree.read_text(HOST_KEY)


async def test_an_agent_whose_unit_is_stopped_is_silent_and_ssh_goes_on(guest: Guest) -> None:
    assert guest.agent_ready()
    await root(guest, "systemctl", "stop", "qemu-guest-agent")
    assert (guest.agent_ready(), guest.ssh_ready) == (False, True)


async def test_stopping_sshd_closes_the_port_and_keeps_connections(guest: Guest) -> None:
    cut: list[str] = []
    guest.fabric.observers.append(lambda _, what: cut.append(what))
    assert (await root(guest, "systemctl", "stop", "sshd")).status == 0
    assert (guest.ssh_ready, "cut" in cut) == (False, False)
    await root(guest, "systemctl", "start", "sshd")
    assert guest.ssh_ready
