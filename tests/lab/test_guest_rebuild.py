"""nixos-rebuild, garbage and closures on a guest, and a host that pulls main and rebuilds itself."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from pvenix_lab.site.core import Site
from pvenix_lab.site.disk import clone_disk
from pvenix_lab.site.guest.firstboot import GIT_KEY, HOST_KEY
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.whole import new_guest
from tests.lab.guest_support import Prepared, build, commit, edit, root, run, run_git, vm_of

FLAKE = "git+file:///etc/nixos?dir=nix#dns01"
PROFILE = "/nix/var/nix/profiles/system"
BARE = "/srv/git/tappaas-nixos-config.git"
REMOTE = f"ssh://git@tappaas-cicd.mgmt.internal{BARE}"


async def facts(guest: Guest) -> list[str]:
    """The booted system, the current one and the profile's."""
    return (await run(guest, "readlink", "-f", "/run/booted-system", "/run/current-system", PROFILE)).out.split()


async def test_switch_builds_sets_the_profile_activates_and_says_what_runs_now(builder: Guest) -> None:
    old = builder.current_path
    ran = await root(builder, "nixos-rebuild", "switch", "--flake", FLAKE)
    assert (ran.status, ran.out) == (0, f"{builder.current_path}\n")
    lines = ran.err.splitlines()
    assert lines[0] == "building the system configuration..."
    assert lines[-1] == "Done. The new configuration is "
    assert "activating the configuration..." in lines
    assert await facts(builder) == [old, builder.current_path, builder.current_path]
    assert "nixos-generation-2.conf" in builder.tree.read_text("/boot/loader/loader.conf")


async def test_boot_and_test_each_change_one_of_what_runs_and_what_boots(builder: Guest) -> None:
    old = builder.current_path
    tested = await root(builder, "nixos-rebuild", "test", "--flake", FLAKE)
    new = builder.current_path
    assert (tested.status, await facts(builder)) == (0, [old, new, old])
    builder.restart_now()
    assert await facts(builder) == [old, old, old]
    await root(builder, "nixos-rebuild", "boot", "--flake", FLAKE)
    assert await facts(builder) == [old, old, new]
    builder.restart_now()
    assert await facts(builder) == [new, new, new]


async def test_dry_build_and_build_change_nothing_but_a_link(builder: Guest) -> None:
    before = await facts(builder)
    dry = await root(builder, "nixos-rebuild", "dry-build", "--flake", FLAKE)
    assert (dry.status, dry.out, "derivations will be built:" in dry.err) == (0, "", True)
    built = await root(builder, "nixos-rebuild", "build", "--flake", FLAKE)
    assert builder.tree.resolve("/home/tappaas/result") == built.out.strip()
    assert await facts(builder) == before


async def test_failed_units_are_the_exit_status_and_the_profile_stays_set(builder: Guest) -> None:
    builder.site.faults.arm("unit-fails", "dns01")
    ran = await root(builder, "nixos-rebuild", "switch", "--flake", FLAKE)
    assert ran.status == 4
    assert "warning: error(s) occurred while switching to the new configuration" in ran.err
    assert (await facts(builder))[2] == builder.current_path


async def test_a_failed_build_ends_with_its_own_status_before_anything_is_set(builder: Guest) -> None:
    before = await facts(builder)
    builder.site.faults.arm("build-fails", "dns01")
    ran = await root(builder, "nixos-rebuild", "switch", "--flake", FLAKE)
    assert (ran.status, await facts(builder)) == (1, before)
    assert "returned non-zero exit status 1." in ran.err


async def test_rollback_goes_to_the_generation_before_and_activates_it(builder: Guest) -> None:
    old = builder.current_path
    await root(builder, "nixos-rebuild", "switch", "--flake", FLAKE)
    back = await root(builder, "nixos-rebuild", "switch", "--rollback")
    assert (back.status, await facts(builder)) == (0, [old, old, old])
    assert "switching profile from version 2 to 1" in back.err
    again = await root(builder, "nixos-rebuild", "switch", "--rollback")
    assert (again.status, "no profile version older than the current (1) exists" in again.err) == (1, True)


async def test_a_second_switch_is_refused_while_one_is_at_work(builder: Guest) -> None:
    builder.site.faults.arm("activation-hangs", "dns01")
    first = asyncio.get_running_loop().create_task(root(builder, "nixos-rebuild", "switch", "--flake", FLAKE))
    async with asyncio.timeout(5):
        while not builder.activation_lock.locked():
            await builder.units.journal.grown()
    second = await root(builder, "nixos-rebuild", "switch", "--flake", FLAKE)
    assert second.status == 1
    assert "nixos-rebuild-switch-to-configuration.service was already loaded" in second.err
    await root(builder, "systemctl", "stop", "nixos-rebuild-switch-to-configuration")
    await first


async def test_unknown_words_are_wrong_use(builder: Guest) -> None:
    assert (await root(builder, "nixos-rebuild", "swich")).status == 2
    assert (await root(builder, "nixos-rebuild", "switch", "--flak", FLAKE)).status == 2
    unknown = await run(builder, "nix", "build", "--bogus")
    assert (unknown.status, unknown.err.splitlines()[0]) == (1, "error: unrecognised flag '--bogus'")
    assert "'bogus' is not a recognised command" in (await run(builder, "nix", "store", "bogus")).err


async def test_the_generations_are_listed_newest_first_as_a_table_and_as_json(builder: Guest) -> None:
    await root(builder, "nixos-rebuild", "switch", "--flake", FLAKE)
    rows = json.loads((await run(builder, "nixos-rebuild", "list-generations", "--json")).out)
    assert [(row["generation"], row["current"]) for row in rows] == [(2, True), (1, False)]
    table = (await run(builder, "nixos-rebuild", "list-generations")).out.splitlines()
    assert table[0].split() == [
        "Generation",
        "Build-date",
        "NixOS",
        "version",
        "Kernel",
        "Configuration",
        "Revision",
        "Specialisation",
        "Current",
    ]
    assert [line.split()[0] for line in table[1:]] == ["2", "1"]


async def test_garbage_is_what_no_generation_link_or_running_system_needs(builder: Guest, prepared: Prepared) -> None:
    old, new = builder.current_path, await build(builder, prepared.commit)
    roots = (await root(builder, "nix-store", "--gc", "--print-roots")).out
    assert f"/tmp/new -> {new}\n" in roots
    assert f"/run/current-system -> {old}\n" in roots
    builder.tree.remove("/tmp/new")
    assert new in (await root(builder, "nix-store", "--gc", "--print-dead")).out.split()
    swept = await root(builder, "nix-store", "--gc")
    assert (swept.status, builder.tree.exists(new), builder.tree.exists(old)) == (0, False, True)
    assert f"deleting '{new}'" in swept.err
    assert swept.out.endswith(" MiB freed\n")
    assert (await root(builder, "nix-store", "--gc")).out == "0 store paths deleted, 0.00 MiB freed\n"


async def test_the_running_system_cannot_be_deleted(builder: Guest) -> None:
    refused = await root(builder, "nix", "store", "delete", builder.current_path)
    assert (refused.status, "since it is still alive" in refused.err) == (1, True)
    assert builder.tree.exists(builder.current_path)


async def test_old_generations_go_with_the_garbage_and_the_current_one_stays(
    builder: Guest, prepared: Prepared
) -> None:
    old = builder.current_path
    await root(builder, "nixos-rebuild", "boot", "--flake", FLAKE)
    builder.restart_now()
    ran = await root(builder, "nix-collect-garbage", "-d")
    assert "removing profile version 1" in ran.err
    assert not builder.tree.exists(old)
    assert (await root(builder, "nixos-rebuild", "switch", "--rollback")).status == 1


async def test_a_closure_holds_what_the_system_links_to(builder: Guest, prepared: Prepared) -> None:
    system = await build(builder, prepared.commit)
    closure = (await run(builder, "nix-store", "-qR", system)).out.split()
    assert closure[-1] == system
    assert builder.tree.resolve(f"{system}/kernel").rpartition("/")[0] in closure
    rows = json.loads((await run(builder, "nix", "path-info", "-S", "--json", system)).out)
    assert rows[0]["path"] == system
    assert rows[0]["closureSize"] >= rows[0]["narSize"]
    stored = await root(builder, "nix", "build", "--json", "--no-link", system)
    assert json.loads(stored.out) == [{"path": system}]


async def test_a_flake_lists_its_hosts_and_evaluates_their_options(builder: Guest) -> None:
    flake = "git+file:///etc/nixos?dir=nix"
    shown = json.loads((await run(builder, "nix", "flake", "show", "--json", flake)).out)
    assert shown["nixosConfigurations"]["dns01"] == {"type": "nixos-configuration"}
    names = await run(builder, "nix", "eval", "--json", f"{flake}#nixosConfigurations", "--apply", "builtins.attrNames")
    assert json.loads(names.out) == sorted(shown["nixosConfigurations"])
    asked = f'{flake}#nixosConfigurations."dns01".config.networking.hostName'
    assert (await run(builder, "nix", "eval", "--raw", asked)).out == "dns01"
    assert (await run(builder, "nix", "flake", "check", flake)).status == 0
    edit(builder, "nix/hosts/dns01.nix", "{ imports = [ ./none.nix ]; }\n")
    broken = await run(builder, "nix", "flake", "check", flake)
    assert (broken.status, "nixosConfigurations.dns01" in broken.err) == (1, True)


# --- between guests --------------------------------------------------------------------------------------------------

UPGRADE = """{
  imports = [ ../configuration.nix ];
  networking.hostName = "dns01";
  system.autoUpgrade = {
    enable = true;
    flake = "git+%s?ref=main&dir=nix#dns01";
    dates = "*:0/15";
  };
  systemd.services.nixos-upgrade.environment.GIT_SSH_COMMAND = "ssh -i /var/lib/fleet/id_ed25519";
%s}
"""


@pytest.fixture
async def keeper(site: Site, prepared: Prepared, builder: Guest) -> Guest:
    """The host of the repository; dns01 knows its key and may fetch."""
    clone_disk(site, prepared.disk, site.guest_root(100))
    keeper = new_guest(site, vm_of("tappaas-cicd", 100), site.guest_root(100))
    site.guests[100] = keeper
    keeper.boot_now()
    keeper.tree.mkdir("/srv/git/.ssh")
    run_git(keeper.root, "clone", "--quiet", "--bare", str(prepared.fleet), str(keeper.root / BARE.lstrip("/")))
    own = " ".join(builder.tree.read_text(f"{GIT_KEY}.pub").split()[:2])
    serve = "/run/current-system/sw/bin/fleet-git-serve guest:dns01"
    keeper.tree.write("/srv/git/.ssh/authorized_keys", f'restrict,command="{serve}" {own} dns01\n')
    shown = " ".join(keeper.tree.read_text(f"{HOST_KEY}.pub").split()[:2])
    builder.tree.put("/root/.ssh/known_hosts", f"tappaas-cicd.mgmt.internal {shown}\n")
    return keeper


def push(keeper: Guest, tmp_path: Path, text: str) -> str:
    """A new commit on main, as a merge leaves it there."""
    work = tmp_path / "work"
    if not work.exists():
        run_git(tmp_path, "clone", "--quiet", str(keeper.root / BARE.lstrip("/")), str(work))
    (work / "nix/hosts/dns01.nix").write_text(text)
    head = commit(work, "change dns01")
    run_git(work, "push", "--quiet", "origin", "main")
    return head


class Ticks:
    """The passing of time: each `next` lets one timer fire."""

    def __init__(self) -> None:
        self._go = asyncio.Event()
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self._go.wait()
        self._go.clear()

    def next(self) -> None:
        self._go.set()


async def revision(guest: Guest) -> str:
    return (await run(guest, "nixos-version", "--configuration-revision")).out.strip()


async def test_a_host_pulls_main_by_its_timer_and_rebuilds_itself(
    builder: Guest, keeper: Guest, tmp_path: Path
) -> None:
    ticks = Ticks()
    builder.sleep = ticks  # type: ignore[method-assign]
    first = push(keeper, tmp_path, UPGRADE % (REMOTE, ""))
    env = "GIT_SSH_COMMAND=ssh -i /var/lib/fleet/id_ed25519"
    ran = await root(builder, "env", env, "nixos-rebuild", "switch", "--flake", f"git+{REMOTE}?ref=main&dir=nix#dns01")
    assert (ran.status, await revision(builder)) == (0, first)
    await asyncio.sleep(0)
    assert ticks.asked[-1] == 15 * 60
    second = push(keeper, tmp_path, UPGRADE % (REMOTE, "  services.unbound.enable = true;\n"))
    ticks.next()
    async with asyncio.timeout(20):
        while await revision(builder) != second or builder.units.units["nixos-upgrade.service"].at_work:
            await builder.units.journal.grown()
    said = (await run(builder, "journalctl", "-u", "nixos-upgrade", "-o", "cat")).out
    assert "the following new units were started: unbound.service" in said
    assert (await facts(builder))[1:] == [builder.current_path] * 2
    assert run_git(keeper.root / BARE.lstrip("/"), "for-each-ref", "--format=%(refname)").split() == ["refs/heads/main"]


async def test_a_pulling_host_whose_key_was_withdrawn_stays_as_it_is_and_says_why(
    builder: Guest, keeper: Guest
) -> None:
    keeper.tree.write("/srv/git/.ssh/authorized_keys", "")
    before = await facts(builder)
    env = "GIT_SSH_COMMAND=ssh -i /var/lib/fleet/id_ed25519"
    ran = await root(builder, "env", env, "nixos-rebuild", "switch", "--flake", f"git+{REMOTE}?ref=main&dir=nix#dns01")
    assert (ran.status, await facts(builder)) == (1, before)
    assert "git@tappaas-cicd.mgmt.internal: Permission denied (publickey)." in ran.err


async def test_a_person_pulls_and_pushes_as_the_first_seed_says(
    builder: Guest, keeper: Guest, prepared: Prepared
) -> None:
    shutil.rmtree(builder.root / "etc/nixos")
    env = ("env", "GIT_SSH_COMMAND=ssh -i /var/lib/fleet/id_ed25519")
    cloned = await root(builder, *env, "git", "clone", "--quiet", REMOTE, "/etc/nixos")
    assert (cloned.status, cloned.err) == (0, "")
    assert (await root(builder, "git", "-C", "/etc/nixos", "rev-parse", "HEAD")).out.strip() == prepared.commit
    builder.tree.put("/etc/nixos/nix/hosts/dns01.nix", "{ }\n")
    who = ("-c", "user.name=me", "-c", "user.email=a@b")
    assert (await root(builder, "git", "-C", "/etc/nixos", *who, "commit", "-qam", "x")).status == 0
    assert (await root(builder, *env, "git", "-C", "/etc/nixos", "pull", "--quiet", "origin", "main")).status == 0
    nowhere = await root(builder, *env, "git", "clone", "--quiet", "ssh://git@nowhere/x.git", "/tmp/x")
    assert (nowhere.status, "Could not resolve hostname nowhere" in nowhere.err) == (128, True)


async def test_a_closure_is_copied_to_another_guest_over_its_ssh(
    builder: Guest, keeper: Guest, prepared: Prepared
) -> None:
    system = await build(builder, prepared.commit)
    refused = await root(builder, "nix", "copy", "--to", "ssh-ng://tappaas@tappaas-cicd.mgmt.internal", system)
    assert (refused.status, keeper.tree.exists(system)) == (1, False)
    own = " ".join(builder.tree.read_text(f"{GIT_KEY}.pub").split()[:2])
    keeper.tree.put("/home/tappaas/.ssh/authorized_keys", f"{own} dns01\n")
    env = ("env", "NIX_SSHOPTS=-i /var/lib/fleet/id_ed25519")
    copied = await root(builder, *env, "nix", "copy", "--to", "ssh-ng://tappaas@tappaas-cicd.mgmt.internal", system)
    assert (copied.status, copied.err.splitlines()[0].startswith("copying ")) == (0, True)
    assert keeper.tree.read_text(f"{system}/nixos-version") == builder.tree.read_text(f"{system}/nixos-version")
    again = await root(builder, *env, "nix", "copy", "--to", "ssh-ng://tappaas@tappaas-cicd.mgmt.internal", system)
    assert (again.status, again.err) == (0, "")


APPLY = """{ lib, pkgs, ... }:
{
  imports = [ ../configuration.nix ];
  networking.hostName = "dns01";
  systemd.services.nix-gitops-apply = {
    wantedBy = [ "multi-user.target" ];
    environment.GIT_SSH_COMMAND = "ssh -i /var/lib/fleet/id_ed25519";
    unitConfig.ConditionPathExists = "!/var/lib/fleet/hold";
    serviceConfig = {
      Type = "oneshot";
      ExecStart = "${lib.getExe pkgs.nixos-rebuild} switch --flake git+%s?ref=main&dir=nix#dns01";
    };
  };
}
"""


async def test_a_one_shot_of_the_configuration_applies_main_at_boot_unless_it_is_held(
    builder: Guest, keeper: Guest, tmp_path: Path
) -> None:
    first = push(keeper, tmp_path, APPLY % REMOTE)
    env = "GIT_SSH_COMMAND=ssh -i /var/lib/fleet/id_ed25519"
    flake = f"git+{REMOTE}?ref=main&dir=nix#dns01"
    assert (await root(builder, "env", env, "nixos-rebuild", "boot", "--flake", flake)).status == 0
    second = push(keeper, tmp_path, APPLY.replace("imports", "services.unbound.enable = true;\n  imports") % REMOTE)
    builder.tree.put("/var/lib/fleet/hold", "")
    builder.restart_now()
    unit = builder.units.units["nix-gitops-apply.service"]
    await unit.ended.wait()
    assert (await revision(builder), unit.condition_result) == (first, False)
    builder.tree.remove("/var/lib/fleet/hold")
    builder.restart_now()
    async with asyncio.timeout(20):
        while await revision(builder) != second or not builder.units.is_active("unbound.service"):
            await builder.units.journal.grown()
    assert builder.tree.resolve(PROFILE) == builder.current_path
