"""switch-to-configuration on a guest: what changes when, exit codes, the boot default, and the faults of an activation."""

from __future__ import annotations

import asyncio

import pytest

from pvenix_lab.site.guest.guest import Guest
from tests.lab.guest_support import Prepared, build, edit, root, run

SWITCH = "bin/switch-to-configuration"
CLOSED = "{ lib, ... }:\n{\n  imports = [ ../configuration.nix ];\n  networking.hostName = %s;\n%s}\n"


async def links(guest: Guest) -> list[str]:
    """The booted system, the current one and the profile's."""
    argv = ("readlink", "-f", "/run/booted-system", "/run/current-system", "/nix/var/nix/profiles/system")
    return (await run(guest, *argv)).out.split()


async def test_test_changes_the_running_system_and_nothing_of_the_next_boot(builder: Guest, prepared: Prepared) -> None:
    old, new = builder.current_path, await build(builder, prepared.commit)
    ran = await root(builder, f"{new}/{SWITCH}", "test")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.splitlines() == [
        "activating the configuration...",
        "setting up /etc...",
        "restarting sysinit-reactivation.target",
        "reloading the following units: firewall.service",
        "the following new units were started: unbound.service",
    ]
    assert await links(builder) == [old, new, old]
    assert "default nixos-generation-1.conf" in builder.tree.read_text("/boot/loader/loader.conf")
    builder.restart_now()
    assert await links(builder) == [old, old, old]


async def test_boot_changes_the_next_boot_and_nothing_that_runs(builder: Guest, prepared: Prepared) -> None:
    old, new = builder.current_path, await build(builder, prepared.commit)
    await root(builder, "nix-env", "-p", "/nix/var/nix/profiles/system", "--set", new)
    assert (await root(builder, f"{new}/{SWITCH}", "boot")).err == ""
    assert await links(builder) == [old, old, new]
    boot_id = builder.boot_id
    builder.restart_now()
    assert await links(builder) == [new, new, new]
    assert builder.boot_id != boot_id


async def test_a_system_without_a_generation_does_not_become_the_boot_default(
    builder: Guest, prepared: Prepared
) -> None:
    new = await build(builder, prepared.commit)
    await root(builder, f"{new}/{SWITCH}", "boot")
    assert "default nixos-generation-1.conf" in builder.tree.read_text("/boot/loader/loader.conf")


async def test_a_dry_activation_says_what_it_would_do_and_does_nothing(builder: Guest, prepared: Prepared) -> None:
    new = await build(builder, prepared.commit)
    before, counted = await links(builder), builder.site.counters.guest_mutations
    ran = await root(builder, f"{new}/{SWITCH}", "dry-activate")
    assert ran.err.splitlines() == [
        "would activate the configuration...",
        "would reload the following units: firewall.service",
        "would start the following new units: unbound.service",
    ]
    assert (await root(builder, f"{new}/{SWITCH}", "check")).status == 0
    assert (await links(builder), builder.site.counters.guest_mutations) == (before, counted)


async def test_a_changed_unit_is_stopped_and_started(builder: Guest, prepared: Prepared) -> None:
    await root(builder, f"{await build(builder, prepared.commit)}/{SWITCH}", "test")
    module = (
        (builder.root / "etc/nixos/nix/modules/role-dns.nix").read_text().replace("prefetch = true", "prefetch = false")
    )
    changed = await build(builder, edit(builder, "nix/modules/role-dns.nix", module))
    lines = (await root(builder, f"{changed}/{SWITCH}", "test")).err.splitlines()
    assert lines[0] == "stopping the following units: unbound.service"
    assert lines[-1] == "starting the following units: unbound.service"


async def test_a_failed_unit_is_status_four_and_the_system_is_switched(builder: Guest, prepared: Prepared) -> None:
    new = await build(builder, prepared.commit)
    builder.site.faults.arm("unit-fails", "dns01")
    ran = await root(builder, f"{new}/{SWITCH}", "test")
    assert (ran.status, builder.current_path) == (4, new)
    assert "warning: the following units failed: unbound.service" in ran.err
    failed = await run(builder, "systemctl", "list-units", "--failed", "--plain", "--no-legend")
    assert failed.out.split()[:4] == ["unbound.service", "loaded", "failed", "failed"]


async def test_two_activations_never_interleave(builder: Guest, prepared: Prepared) -> None:
    new = await build(builder, prepared.commit)
    builder.site.faults.arm("activation-hangs", "dns01")
    await root(builder, "systemd-run", "--unit=a", "--no-block", f"{new}/{SWITCH}", "test")
    for _ in range(20):
        await asyncio.sleep(0)
    second = await root(builder, f"{new}/{SWITCH}", "test")
    assert (second.status, second.err) == (1, "Could not acquire lock\n")
    await root(builder, "systemctl", "stop", "a")
    assert (await root(builder, f"{new}/{SWITCH}", "test")).status == 0


async def test_only_root_activates(builder: Guest, prepared: Prepared) -> None:
    new = await build(builder, prepared.commit)
    assert (await run(builder, f"{new}/{SWITCH}", "test")).status == 1
    assert builder.current_path != new


async def test_a_module_that_switches_sshd_off_ends_new_connections(builder: Guest) -> None:
    off = "  services.openssh.enable = lib.mkForce false;\n"
    new = await build(builder, edit(builder, "nix/hosts/dns01.nix", CLOSED % ('"dns01"', off)))
    seen = [builder.ssh_ready]
    await root(builder, f"{new}/{SWITCH}", "test")
    seen.append(builder.ssh_ready)
    builder.restart_now()
    assert [*seen, builder.ssh_ready] == [True, False, True]


async def test_the_port_closed_by_a_new_system_opens_with_the_old_one(builder: Guest, prepared: Prepared) -> None:
    old, new = builder.current_path, await build(builder, prepared.commit)
    builder.site.faults.arm("port-closed-by-new-system", "dns01")
    seen = []
    for system in (new, old):
        await root(builder, f"{system}/{SWITCH}", "test")
        seen.append(builder.ssh_ready)
    assert seen == [False, True]


@pytest.mark.parametrize(("how", "elsewhere"), [("address", ["192.0.2.5/24"]), ("down", [])])
async def test_another_network_comes_and_goes_with_the_system_that_has_it(
    builder: Guest, prepared: Prepared, how: str, elsewhere: list[str]
) -> None:
    old, new, own = builder.current_path, await build(builder, prepared.commit), builder.addresses
    builder.site.faults.arm("network-changed-by-new-system", "dns01", how=how)
    seen = []
    for system in (new, old):
        await root(builder, f"{system}/{SWITCH}", "test")
        seen.append(builder.addresses)
    assert seen == [elsewhere, own]


async def test_a_cut_connection_leaves_the_activation_unit_at_work(builder: Guest, prepared: Prepared) -> None:
    new = await build(builder, prepared.commit)
    builder.site.faults.arm("ssh-cut-during-activation", "dns01")
    cut: list[str] = []
    builder.fabric.observers.append(lambda _, what: cut.append(what))
    ran = await root(
        builder, "systemd-run", "--unit=a", "--service-type=exec", "--remain-after-exit", f"{new}/{SWITCH}", "test"
    )
    for _ in range(30):
        await asyncio.sleep(0)
    assert "cut" in cut
    assert ran.status == 0
    assert builder.units.show("a.service")["SubState"] == "exited"
    assert builder.current_path == new


async def test_the_dead_man_goes_back_to_the_recorded_system(builder: Guest, prepared: Prepared) -> None:
    old, new = builder.current_path, await build(builder, prepared.commit)
    profile = "/nix/var/nix/profiles/system"
    armed = await root(
        builder, "systemd-run", "--unit=dead", "--no-block", "--service-type=oneshot",
        "-p", f"ExecStartPre={old}/sw/bin/sleep 0.05", "-p", f"ExecStartPre=-{old}/sw/bin/systemctl stop a.service",
        "-p", f"ExecStartPre={old}/sw/bin/nix-env -p {profile} --set {old}", f"{old}/{SWITCH}", "switch",
    )  # fmt: skip
    assert armed.status == 0
    builder.site.faults.arm("activation-hangs", "dns01")
    await root(builder, "nix-env", "-p", profile, "--set", new)
    await root(builder, "systemd-run", "--unit=a", "--no-block", f"{new}/{SWITCH}", "switch")
    async with asyncio.timeout(5):
        await builder.units.units["dead.service"].ended.wait()
    assert builder.units.show("a.service")["LoadState"] == "not-found"
    assert await links(builder) == [old, old, old]


async def test_data_outside_the_store_is_never_touched(builder: Guest, prepared: Prepared) -> None:
    for name in ("home/tappaas/mine", "var/lib/mine"):
        (builder.root / name).write_text("data")
    await root(builder, f"{await build(builder, prepared.commit)}/{SWITCH}", "test")
    builder.restart_now()
    assert [(builder.root / name).read_text() for name in ("home/tappaas/mine", "var/lib/mine")] == ["data", "data"]
