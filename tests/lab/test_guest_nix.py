"""Evaluation, builds and generations on a guest: same input same path, only tracked files, nix's words and exit codes."""

from __future__ import annotations

import json
import os
import shutil

from pvenix_lab.site.core import Site
from pvenix_lab.site.disk import clone_disk
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.whole import new_guest
from tests.lab.guest_support import Prepared, build, edit, flake_of, root, run, run_git, vm_of

PROFILE = ("nix-env", "-p", "/nix/var/nix/profiles/system")


async def test_the_same_commit_makes_the_same_path_on_every_guest(
    site: Site, builder: Guest, prepared: Prepared
) -> None:
    other = new_guest(site, vm_of("docker01", 210), site.guest_root(210))
    clone_disk(site, prepared.disk, other.root)
    shutil.copytree(prepared.fleet, other.root / "etc/nixos")
    other.boot_now()
    assert await build(builder, prepared.commit) == await build(other, prepared.commit)


async def test_a_change_that_a_host_does_not_reach_still_changes_the_path_through_the_linked_commit(
    builder: Guest,
) -> None:
    before = await build(builder, run_git(builder.root / "etc/nixos", "rev-parse", "HEAD"))
    after = await build(builder, edit(builder, "README", "nothing that is built"))
    assert before != after
    assert before.partition("-")[2] == after.partition("-")[2]


async def test_a_second_build_builds_nothing_and_says_nothing(builder: Guest, prepared: Prepared) -> None:
    path = await build(builder, prepared.commit)
    counted = builder.site.counters.guest_mutations
    again = await root(builder, "nix", "build", "--json", "--out-link", "/tmp/new", flake_of(prepared.commit))
    assert (json.loads(again.out)[0]["outputs"]["out"], again.err) == (path, "")
    assert builder.site.counters.guest_mutations == counted


async def test_a_dry_run_names_what_it_would_build_and_builds_nothing(builder: Guest, prepared: Prepared) -> None:
    ran = await root(builder, "nix", "build", "--json", "--dry-run", flake_of(prepared.commit))
    path = json.loads(ran.out)[0]["outputs"]["out"]
    assert "derivations will be built:" in ran.err
    assert not builder.tree.exists(path)


async def test_an_untracked_host_file_does_not_exist_for_a_flake(builder: Guest) -> None:
    (builder.root / "etc/nixos/nix/hosts/new01.nix").write_text("{ }\n")
    installable = 'git+file:///etc/nixos?dir=nix#nixosConfigurations."new01".config.system.build.toplevel'
    ran = await root(builder, "nix", "build", "--json", "--no-link", installable)
    assert ran.status == 1
    assert 'does not provide attribute \'packages.x86_64-linux.nixosConfigurations."new01"' in ran.err


async def test_a_dirty_tree_is_built_with_a_warning(builder: Guest) -> None:
    with (builder.root / "etc/nixos/nix/hosts/dns01.nix").open("a") as file:
        file.write("\n")
    installable = 'git+file:///etc/nixos?dir=nix#nixosConfigurations."dns01".config.system.build.toplevel'
    ran = await root(builder, "nix", "build", "--json", "--no-link", installable)
    assert ran.status == 0
    assert ran.err.startswith("warning: Git tree '/etc/nixos' is dirty\n")


async def test_a_missing_import_names_the_file_that_asked_and_the_line(builder: Guest) -> None:
    text = "{\n  imports = [\n    ../configuration.nix\n    ../modules/role-gone.nix\n  ];\n}\n"
    ran = await root(builder, "nix", "build", "--no-link", flake_of(edit(builder, "nix/hosts/dns01.nix", text)))
    assert ran.status == 1
    assert "-source/nix/hosts/dns01.nix:4:5:" in ran.err
    assert ran.err.rstrip().endswith("modules/role-gone.nix' does not exist")


async def test_a_syntax_error_names_its_place(builder: Guest) -> None:
    commit = edit(builder, "nix/hosts/dns01.nix", "{\n  networking.hostName = ;\n}\n")
    ran = await root(builder, "nix", "build", "--no-link", flake_of(commit))
    assert ran.status == 1
    assert ran.err.startswith("error: syntax error, ")
    assert "hosts/dns01.nix:2:" in ran.err


async def test_a_missing_hardware_file_fails_the_build(builder: Guest) -> None:
    (builder.root / "etc/nixos/nix/hardware/dns01-hw.nix").unlink()
    commit = edit(builder, "README", "x")
    ran = await root(builder, "nix", "build", "--no-link", flake_of(commit))
    assert (ran.status, "hardware/dns01-hw.nix' does not exist" in ran.err) == (1, True)


async def test_an_armed_build_failure_leaves_nothing_in_the_store(builder: Guest, prepared: Prepared) -> None:
    before = builder.tree.listdir("/nix/store")
    builder.site.faults.arm("build-fails", "dns01")
    ran = await root(builder, "nix", "build", "--json", "--out-link", "/tmp/new", flake_of(prepared.commit))
    assert (ran.status, ran.out) == (1, "")
    assert "failed with exit code 1;" in ran.err
    assert builder.tree.listdir("/nix/store") == before


async def test_closures_are_compared_by_package(builder: Guest, prepared: Prepared) -> None:
    old, new = builder.current_path, await build(builder, prepared.commit)
    lines = (await run(builder, "nix", "store", "diff-closures", old, new)).out.splitlines()
    assert any(line.startswith("unbound: ∅ → 1.24.1, +") for line in lines)
    assert (await run(builder, "nix", "store", "diff-closures", new, new)).out == ""
    refused = f"don't know how to build these paths:\n  {new}x\nerror: path '{new}x' is not valid\n"
    assert (await run(builder, "nix", "path-info", f"{new}x")).err == refused


async def test_generations_follow_the_rules_of_nix_env(builder: Guest, prepared: Prepared) -> None:
    old, new = builder.current_path, await build(builder, prepared.commit)
    await root(builder, *PROFILE, "--set", new)
    await root(builder, *PROFILE, "--set", new)
    back = await root(builder, *PROFILE, "--rollback")
    assert (back.status, back.err) == (0, "switching profile from version 2 to 1\n")
    oldest = await root(builder, *PROFILE, "--rollback")
    assert (oldest.status, oldest.err) == (1, "error: no profile version older than the current (1) exists\n")
    await root(builder, *PROFILE, "--set", new)
    assert builder.tree.listdir("/nix/var/nix/profiles") == [
        "system",
        "system-1-link",
        "system-2-link",
    ]
    await root(builder, *PROFILE, "--set", old)
    assert builder.tree.readlink("/nix/var/nix/profiles/system") == "system-3-link"
    absent = await root(builder, *PROFILE, "--switch-generation", "99")
    assert (absent.status, absent.err) == (1, "error: profile version 99 does not exist\n")
    kept = await root(builder, *PROFILE, "--delete-generations", "2", "3")
    assert (kept.status, kept.out) == (1, "")
    gone = await root(builder, *PROFILE, "--delete-generations", "2")
    assert gone.err == "removing profile version 2\n"


async def test_the_list_of_generations_has_the_width_and_the_mark_of_nix_env(
    builder: Guest, prepared: Prepared
) -> None:
    await root(builder, *PROFILE, "--set", await build(builder, prepared.commit))
    await root(builder, *PROFILE, "--rollback")
    for number, at in ((1, 86400), (2, 90061)):
        link = builder.root / f"nix/var/nix/profiles/system-{number}-link"
        os.utime(link, (at, at), follow_symlinks=False)
    listed = await root(builder, *PROFILE, "--list-generations")
    assert listed.out == "   1   1970-01-02 00:00:00   (current)\n   2   1970-01-02 01:01:01   \n"
    refused = await run(builder, *PROFILE, "--list-generations")
    assert (refused.status, "Permission denied" in refused.err) == (1, True)


async def test_a_version_is_that_of_the_system_it_is_asked_through(builder: Guest, prepared: Prepared) -> None:
    new = await build(builder, prepared.commit)
    through = json.loads((await run(builder, f"{new}/sw/bin/nixos-version", "--json")).out)
    running = json.loads((await run(builder, "nixos-version", "--json")).out)
    assert (through["configurationRevision"], running["configurationRevision"]) == (prepared.commit, "a" * 40)
    rows = json.loads((await run(builder, "nixos-rebuild", "list-generations", "--json")).out)
    assert [(row["generation"], row["current"], row["kernelVersion"]) for row in rows] == [(1, True, "6.12.72")]
