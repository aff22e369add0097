"""A clone that nobody drives: it registers itself over SSH with its own key, is refused without rights, and never does it twice."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pvenix_lab.site.core import Site
from pvenix_lab.site.disk import clone_disk
from pvenix_lab.site.guest.firstboot import GIT_KEY, HOST_KEY
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.whole import new_guest
from tests.lab.guest_support import Prepared, commit, make_disk, root, run, run_git, vm_of

BARE = "/srv/git/tappaas-nixos-config.git"
SERVE = "/run/current-system/sw/bin/fleet-git-serve"
UNIT = "fleet-first-boot.service"


@dataclass
class Fleet:
    """A host that keeps the repository, and a clone of a template that was built with the repository's host key."""

    controller: Guest
    clone: Guest

    @property
    def bare(self) -> Path:
        return self.controller.root / BARE.lstrip("/")

    def authorise(self, who: str) -> None:
        """Let the clone's own key push as `who`, as pvenix does after reading it through the agent."""
        key = " ".join(self.clone.tree.read_text(f"{GIT_KEY}.pub").split()[:2])
        line = f'restrict,command="{SERVE} {who}" {key} clone\n'
        self.controller.tree.write("/srv/git/.ssh/authorized_keys", line)

    def branches(self) -> list[str]:
        return run_git(self.bare, "for-each-ref", "--format=%(refname:short)").splitlines()

    async def settled(self) -> str:
        """The state of the unit once it has run or waits for its next attempt."""
        async with asyncio.timeout(10):
            while (state := self.clone.units.units[UNIT]).sub not in ("dead", "auto-restart"):
                await self.clone.units.journal.grown()
        return state.sub


def key_of(guest: Guest) -> str:
    return " ".join(guest.tree.read_text(f"{HOST_KEY}.pub").split()[:2])


@pytest.fixture
async def fleet(site: Site, prepared: Prepared, tmp_path: Path) -> AsyncIterator[Fleet]:
    clone_disk(site, prepared.disk, site.guest_root(100))
    controller = site.guests[100] = new_guest(site, vm_of("tappaas-cicd", 100), site.guest_root(100))
    assert isinstance(controller, Guest)
    controller.boot_now()
    work = tmp_path / "fleet"
    shutil.copytree(prepared.fleet, work)
    facts = work / "nix/site.nix"
    facts.write_text(facts.read_text().replace("hostKey = null;", f'hostKey = "{key_of(controller)}";'))
    commit(work, "name the repository's host key")
    controller.tree.mkdir("/srv/git/.ssh")
    bare = controller.root / BARE.lstrip("/")
    run_git(tmp_path, "clone", "--quiet", "--bare", str(work), str(bare))
    hook = bare / "hooks/update"
    hook.write_bytes((work / "nix/files/fleet-update-hook").read_bytes())
    hook.chmod(0o755)
    make_disk(site, work, site.guest_root(201))
    clone = site.guests[201] = new_guest(
        site, vm_of("web-001", 201, "ip=10.69.13.9/24,gw=10.69.13.1"), site.guest_root(201)
    )
    assert isinstance(clone, Guest)
    # the first attempts fail and are tried again; nobody may wait a minute for that, so time stands still between them
    clone.sleep = _until_asked(clone)  # type: ignore[method-assign]
    clone.boot_now()
    yield Fleet(controller=controller, clone=clone)
    for guest in (clone, controller):
        await guest.power_off(graceful=False)


class _Asked:
    """The pause between two attempts: it lasts until the test lets the next one begin."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        del seconds
        await self.go.wait()
        self.go.clear()


def _until_asked(guest: Guest) -> _Asked:
    del guest
    return _Asked()


async def next_attempt(fleet: Fleet) -> str:
    """Let the unit try again and say how it went."""
    fleet.clone.units.units[UNIT].set_state("activating", "start")
    fleet.clone.sleep.go.set()  # type: ignore[attr-defined]
    return await fleet.settled()


async def journal(guest: Guest) -> str:
    return (await run(guest, "journalctl", "-u", "fleet-first-boot", "-o", "cat", "--no-pager")).out


async def test_a_clone_that_nobody_drives_ends_with_its_branch_on_the_remote(fleet: Fleet) -> None:
    assert await fleet.settled() == "auto-restart"
    assert "git@tappaas-cicd.mgmt.internal: Permission denied (publickey)." in await journal(fleet.clone)
    fleet.authorise("guest:web-001")
    assert await next_attempt(fleet) == "dead"
    assert fleet.branches() == ["main", "registration/web-001"]
    shown = run_git(fleet.bare, "show", "--stat", "--format=%an <%ae> %s", "registration/web-001")
    assert shown.splitlines()[0] == "web-001 <root@web-001> Register web-001"
    assert "nix/hardware/web-001-hw.nix" in shown
    assert "nix/hosts/web-001.nix" in shown
    written = run_git(fleet.bare, "show", "registration/web-001:nix/hardware/web-001-hw.nix")
    assert f"{written}\n" == (await root(fleet.clone, "nixos-generate-config", "--show-hardware-config")).out
    assert fleet.clone.tree.exists("/var/lib/fleet/registered")
    assert not fleet.clone.tree.exists("/var/lib/fleet/registration")


async def test_it_is_done_once_and_a_reboot_does_not_do_it_again(fleet: Fleet) -> None:
    await fleet.settled()
    fleet.authorise("guest:web-001")
    await next_attempt(fleet)
    pushes = fleet.clone.site.counters.receive_packs
    fleet.clone.restart_now()
    assert await fleet.settled() == "dead"
    assert (fleet.clone.site.counters.receive_packs, pushes) == (1, 1)
    assert "was skipped because of an unmet condition check" in await journal(fleet.clone)


async def test_a_branch_that_is_there_already_is_left_as_it_is(fleet: Fleet) -> None:
    await fleet.settled()
    run_git(fleet.bare, "update-ref", "refs/heads/registration/web-001", "main")
    before = run_git(fleet.bare, "rev-parse", "registration/web-001")
    fleet.authorise("guest:web-001")
    assert await next_attempt(fleet) == "dead"
    assert "registration/web-001 is there already and waits for review" in await journal(fleet.clone)
    assert run_git(fleet.bare, "rev-parse", "registration/web-001") == before


async def test_a_key_of_another_host_may_not_push_the_branch_and_it_is_tried_again(fleet: Fleet) -> None:
    await fleet.settled()
    fleet.authorise("guest:dns01")
    assert await next_attempt(fleet) == "auto-restart"
    assert "fleet: refused: dns01 may push registration/dns01 only, not registration/web-001" in await journal(
        fleet.clone
    )
    assert fleet.branches() == ["main"]
    fleet.authorise("guest:web-001")
    assert await next_attempt(fleet) == "dead"
    assert fleet.branches() == ["main", "registration/web-001"]


async def test_a_server_with_another_host_key_is_not_trusted(fleet: Fleet) -> None:
    await fleet.settled()
    fleet.authorise("guest:web-001")
    for suffix in ("", ".pub"):
        fleet.controller.tree.remove(HOST_KEY + suffix)
    fleet.controller.restart_now()
    assert await next_attempt(fleet) == "auto-restart"
    said = await journal(fleet.clone)
    assert "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!" in said
    assert "Host key verification failed." in said


async def test_a_server_that_is_down_is_waited_for(fleet: Fleet) -> None:
    await fleet.settled()
    fleet.authorise("guest:web-001")
    await fleet.controller.power_off(graceful=False)
    assert await next_attempt(fleet) == "auto-restart"
    fleet.controller.boot_now()
    assert await next_attempt(fleet) == "dead"


async def test_a_template_without_the_servers_key_has_no_such_unit(guest: Guest) -> None:
    assert UNIT not in guest.units.units
