"""Risky changes wait for a person, or for their hour, and hold nothing meanwhile; what was approved is what is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pvenix.engine.decisions import Decisions, waiting
from pvenix.model.approval import Asked, Decision, Verdict
from pvenix.model.errors import ExitCode
from pvenix.model.plan import Task
from pvenix.model.update import Approve, Reboot
from pvenix.model.window import parse
from tests.sim.golden import Golden
from tests.story.configure_scene import says
from tests.story.fault_scene import OLD, Scene, scene

pytestmark = pytest.mark.sim

OTHER = "docker01"
DNS = "nix/modules/role-dns.nix"
KERNEL = "{ pkgs, ... }:\n{\n  boot.kernelPackages = pkgs.linuxPackages_6_6;\n}\n"
REBOOTING = Task(verb="reboot")


def update(site: Scene, host: str = OLD, **fields: Any) -> None:
    site.sim.change_host(host, update=replace(site.sim.fleet.hosts[host].machine.update, **fields))


def marks(site: Scene, role: str, *what: str) -> None:
    fleet = site.sim.fleet
    roles = {**fleet.site.roles, role: replace(fleet.site.roles[role], approve=what)}
    site.sim.fleet = replace(fleet, site=replace(fleet.site, roles=roles))


def new_kernel(site: Scene) -> str:
    return site.sim.change_main("nix/modules/role-base.nix", KERNEL)


def new_resolver(site: Scene) -> str:
    """Another setting of unbound, so that an activation restarts it."""
    text = (site.sim.read(site.sim.main(), DNS) or b"").decode()
    return site.sim.change_main(DNS, text.replace("prefetch = true", "prefetch = false"))


def asked(site: Scene) -> tuple[Asked, ...]:
    return waiting(site.sim.journals[site.run_id].entries())


def decide(site: Scene, verdict: Verdict = Verdict.APPROVED, **fields: Any) -> None:
    """Somebody decides about everything that waits."""
    assert site._run is not None
    for each in asked(site):
        same = {name: getattr(each, name) for name in ("host", "step", "subject", "commit", "risks")}
        words = {"by": "alice", "at": "2026-01-01T00:00:00Z", **same, **fields}
        Decisions(site._run.path).add(Decision(verdict=verdict, **words))


def holds_nothing(site: Scene, host: str = OLD) -> None:
    """No lock here; there no fence, no unit of an attempt and no dead-man."""
    assert not list(site.guest(host).units.units.keys() & {"pvenix"})
    assert not [name for name in site.guest(host).units.units if name.startswith("pvenix-")]
    assert not site.guest(host).tree.exists("/run/pvenix/fence")


def test_an_update_that_reboots_waits_and_holds_nothing_until_it_is_approved(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        update(site, reboot=Reboot.AUTO)
        commit = new_kernel(site)
        before = site.guest(OLD).current_path
        boot = site.guest(OLD).boot_id
        done = await site.run("rebuild", hosts=(OLD,))
        assert done.code is ExitCode.APPROVAL, done.why
        assert "waits for an approval: reboots: kernel 6.12" in done.why
        assert f"pvenix approve {site.run_id} -l {OLD}" in done.why
        assert site.guest(OLD).current_path == before
        holds_nothing(site)
        [question] = asked(site)
        assert (question.host, question.commit) == (OLD, commit)
        again = await site.resume()
        assert again.code is ExitCode.APPROVAL, "nobody has approved it"
        decide(site)
        done = await site.resume()
        assert done.code is ExitCode.OK, done.why
        assert "booted anew" in done.why
        guest = site.guest(OLD)
        assert guest.current_path == question.subject
        assert (guest.booted.kernel.startswith("6.6"), guest.boot_id != boot) == (True, True)
        assert "approved by alice" in done.text

    scene(golden, act)


def test_an_approval_does_not_cover_another_system(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        update(site, approve=Approve.ALWAYS)
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# one\n")
        assert (await site.run("rebuild", hosts=(OLD,))).code is ExitCode.APPROVAL
        [first] = asked(site)
        decide(site)
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# two\n")
        done = await site.resume()
        assert done.code is ExitCode.APPROVAL, done.why
        [second] = asked(site)
        assert second.subject != first.subject
        decide(site)
        assert (await site.resume()).code is ExitCode.OK
        assert site.guest(OLD).current_path == second.subject

    scene(golden, act)


def test_an_approval_does_not_cover_a_risk_that_was_not_shown(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        update(site, approve=Approve.ALWAYS)
        new_resolver(site)
        assert (await site.run("rebuild", hosts=(OLD,))).code is ExitCode.APPROVAL
        decide(site)
        marks(site, "dns", "unbound.service")
        done = await site.resume()
        assert done.code is ExitCode.APPROVAL, done.why
        assert "touches unbound.service (role dns)" in done.why

    scene(golden, act)


def test_a_rejection_ends_the_host_without_touching_it(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        update(site, approve=Approve.ALWAYS)
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# one\n")
        before = site.guest(OLD).current_path
        assert (await site.run("rebuild", hosts=(OLD,))).code is ExitCode.APPROVAL
        decide(site, Verdict.REJECTED, comment="not before the holidays")
        writes = site.writes
        done = await site.resume()
        assert (done.code, site.writes, site.guest(OLD).current_path) == (ExitCode.INTERRUPTED, writes, before)
        assert "rejected by alice" in done.why
        assert "not before the holidays" in done.why
        assert not done.sent("")

    scene(golden, act)


def test_only_what_a_role_marks_is_asked_about(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        marks(site, "dns", "unbound.service")
        new_resolver(site)
        done = await site.run("rebuild", hosts=(OLD, OTHER))
        assert done.code is ExitCode.APPROVAL, done.why
        [question] = asked(site)
        assert (question.host, question.risks) == (OLD, ("touches unbound.service (role dns)",))
        assert site.guest(OTHER).current.revision == site.sim.main(), "the others go on"
        decide(site)
        assert (await site.resume()).code is ExitCode.OK
        assert site.guest(OLD).current.revision == site.sim.main()

    scene(golden, act)


def test_a_role_that_is_not_touched_asks_nobody(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        marks(site, "dns", "unbound.service")
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# one\n")
        assert (await site.run("rebuild", hosts=(OLD,))).code is ExitCode.OK

    scene(golden, act)


def test_never_asks_nobody_and_always_about_everything(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        marks(site, "dns", "always")
        update(site, approve=Approve.NEVER)
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# one\n")
        assert (await site.run("rebuild", hosts=(OLD,))).code is ExitCode.OK
        update(site, approve=Approve.ALWAYS)
        done = await site.run(REBOOTING, hosts=(OLD,))
        assert done.code is ExitCode.APPROVAL, "even a reboot that somebody asked for by name"

    scene(golden, act)


def test_a_reboot_of_a_playbook_waits_and_one_asked_for_by_name_does_not(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        boot = site.guest(OLD).boot_id
        done = await site.run(REBOOTING, hosts=(OLD,), named=False)
        assert (done.code, site.guest(OLD).boot_id) == (ExitCode.APPROVAL, boot), done.why
        [question] = asked(site)
        assert boot in question.subject
        decide(site)
        assert (await site.resume()).code is ExitCode.OK
        assert site.guest(OLD).boot_id != boot
        assert (await site.run(REBOOTING, hosts=(OLD,))).code is ExitCode.OK

    scene(golden, act)


def test_an_approved_reboot_is_of_that_boot_and_of_no_later_one(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run(REBOOTING, hosts=(OLD,), named=False)).code is ExitCode.APPROVAL
        decide(site)
        run = site._run
        assert (await site.run(REBOOTING, hosts=(OLD,))).code is ExitCode.OK
        site._run = run
        assert (await site.resume()).code is ExitCode.APPROVAL, "somebody else rebooted it meanwhile"

    scene(golden, act)


def test_outside_its_window_a_reboot_waits_for_it_and_inside_goes_on(golden: Golden) -> None:
    """The simulation begins on Thursday, 2026-01-01, at midnight UTC."""

    async def act(site: Scene) -> None:
        update(site, window=(parse("Thu 02:00-05:00"),))
        boot = site.guest(OLD).boot_id
        done = await site.run(REBOOTING, hosts=(OLD,))
        assert (done.code, site.guest(OLD).boot_id) == (ExitCode.WINDOW, boot), done.why
        assert "outside its window until Thu 2026-01-01 02:00" in done.why
        holds_nothing(site)
        await site.later(3 * 3600)
        assert (await site.resume()).code is ExitCode.OK
        assert site.guest(OLD).boot_id != boot

    scene(golden, act)


def test_now_goes_on_outside_of_the_window_and_says_who_asked(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        update(site, window=(parse("Sat 02:00-05:00"),))
        assert (await site.run(REBOOTING, hosts=(OLD,))).code is ExitCode.WINDOW
        assert site._run is not None
        decision = Decision(verdict=Verdict.NOW, by="bob", at="2026-01-01T00:10:00Z", host=OLD)
        Decisions(site._run.path).add(decision)
        done = await site.resume()
        assert done.code is ExitCode.OK, done.why
        assert "all the same, as bob asked" in done.text

    scene(golden, act)


def test_a_window_holds_a_risky_rebuild_and_no_other(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        update(site, window=(parse("Sat 02:00-05:00"),), approve=Approve.NEVER)
        marks(site, "dns", "unbound.service")
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# one\n")
        assert (await site.run("rebuild", hosts=(OLD,))).code is ExitCode.OK
        new_resolver(site)
        done = await site.run("rebuild", hosts=(OLD,))
        assert done.code is ExitCode.WINDOW, done.why
        assert site.guest(OLD).current.revision != site.sim.main()

    scene(golden, act)


def test_an_approval_before_the_window_is_not_asked_for_again_inside(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        update(site, window=(parse("Thu 02:00-05:00"),), reboot=Reboot.AUTO)
        new_kernel(site)
        assert (await site.run("rebuild", hosts=(OLD,))).code is ExitCode.APPROVAL
        decide(site)
        assert (await site.resume()).code is ExitCode.WINDOW
        await site.later(3 * 3600)
        done = await site.resume()
        assert done.code is ExitCode.OK, done.why
        assert site.guest(OLD).booted.kernel.startswith("6.6")

    scene(golden, act)


def test_going_back_passes_the_same_gate(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        new_resolver(site)
        assert (await site.run("rebuild", hosts=(OLD,))).code is ExitCode.OK
        marks(site, "dns", "unbound.service")
        now = site.guest(OLD).current_path
        back = Task(verb="rollback", args={"to": 1})
        done = await site.run(back, hosts=(OLD,))
        assert (done.code, site.guest(OLD).current_path) == (ExitCode.APPROVAL, now), done.why
        site.rules.asked[site.run_id] = 1
        decide(site)
        assert (await site.resume()).code is ExitCode.OK
        assert site.guest(OLD).current_path != now

    scene(golden, act)


def test_what_is_written_to_a_vm_waits_for_its_reboot_to_be_approved(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, cores=6, update__reboot="auto")
        boot = site.guest(OLD).boot_id
        done = await site.run("configure", hosts=(OLD,), named=False)
        assert (done.code, site.guest(OLD).boot_id) == (ExitCode.APPROVAL, boot), done.why
        [question] = asked(site)
        assert (question.subject, question.risks) == ("VM 200 with cores=6", ("reboots to apply cores",))
        decide(site)
        assert (await site.resume()).code is ExitCode.OK
        assert (site.vm(OLD).config["cores"], site.vm(OLD).pending) == (6, {})

    scene(golden, act)
