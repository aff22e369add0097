"""Going back to what ran before a run and forth again, and generations pinned, pruned and collected; killed at every call."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pvenix.engine.runfiles import RunDir
from pvenix.lifecycle.goingback import was_before
from pvenix.model.errors import ExitCode
from pvenix.model.host import Generations
from pvenix.model.plan import Task
from pvenix_lab.site.guest import gc, generations
from pvenix_lab.site.guest.guest import Guest
from tests.sim.golden import RESIDENTS, Golden
from tests.sim.ports import Calls
from tests.story.fault_scene import OLD, Done, Scene, scene

PINS = "/var/lib/pvenix/pins"
KERNEL = "{ pkgs, ... }:\n{\n  boot.kernelPackages = pkgs.linuxPackages_6_6;\n}\n"
KERNEL_WORDS = "its kernel is not the one that runs"
killed = pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])


def runs(guest: Guest) -> str:
    """The system that runs, which must be what the profile names and what boots."""
    current = guest.tree.resolve("/run/current-system")
    assert guest.tree.resolve("/nix/var/nix/profiles/system") == current
    assert generations.boot_default(guest.tree) == current
    return current


def numbers(guest: Guest) -> list[int]:
    return [each.number for each in generations.generations(guest.tree)]


def entries(guest: Guest) -> list[int]:
    """The generations that the boot loader offers."""
    names = guest.tree.listdir("/boot/loader/entries")
    return sorted(int(name.removeprefix("nixos-generation-").removesuffix(".conf")) for name in names)


async def rebuilt(site: Scene, *marks: str, hosts: tuple[str, ...] = (OLD,)) -> None:
    """A new generation on each host for each mark."""
    for mark in marks:
        site.sim.change_main("nix/modules/role-base.nix", f"{{ }}\n# {mark}\n")
        assert (await site.run("rebuild", hosts=hosts)).code is ExitCode.OK


def undoing(site: Scene, run: str, hosts: tuple[str, ...]) -> RunDir:
    """The run of `pvenix rollback HOSTS --before RUN`, as the command line plans it."""
    journal = site.sim.journals[run].entries()
    was = {host: was_before(run, journal, host) for host in hosts}
    decided = {host: {"back_skip": each.why} if each.why else {"back_to": each.path} for host, each in was.items()}
    made = site.sim.plan("rollback", hosts, Task(verb="rollback"))
    site.rules.aims |= {(made.run, host): each.path for host, each in was.items() if each.path}
    plan = replace(made.plan(), decisions=decided)
    (made.path / "plan.json").write_text(json.dumps(plan.to_json()))
    return made


async def went(site: Scene, run: RunDir) -> Done:
    site._run = run
    return await site._go(run, Calls(), resume=False)


async def through(site: Scene, run: RunDir, *, before: bool) -> int:
    """The run to its end, its process killed at its first call, then at its second, and so on; how often."""
    deaths, code = 0, None
    while code is None:
        code = await site.sim.run(run, Calls(die_at=deaths + 1, before=before), resume=deaths > 0)
        deaths += code is None
        assert deaths < 400
    assert code is ExitCode.OK, "\n".join(site.sim.log[-5:])
    site.rules.always(site.sim)
    await site.later(200)
    return deaths


def test_hosts_go_back_to_what_they_ran_before_a_run_and_forth_again(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        old = {host: runs(site.guest(host)) for host in RESIDENTS}
        await rebuilt(site, "one", hosts=RESIDENTS)
        rebuild, new = site.run_id, {host: runs(site.guest(host)) for host in RESIDENTS}
        assert not set(old.values()) & set(new.values())
        assert (await went(site, undoing(site, rebuild, RESIDENTS))).code is ExitCode.OK
        back = site.run_id
        assert {host: runs(site.guest(host)) for host in RESIDENTS} == old
        assert (await went(site, undoing(site, back, RESIDENTS))).code is ExitCode.OK
        assert {host: runs(site.guest(host)) for host in RESIDENTS} == new
        again = await went(site, undoing(site, back, RESIDENTS))
        assert {event.status for event in again.events if hasattr(event, "status")} == {"ok"}

    scene(golden, act)


def test_a_host_that_the_run_did_not_change_is_left_alone_with_the_reason(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await rebuilt(site, "one")
        kept, writes = runs(site.guest(RESIDENTS[1])), site.writes
        done = await went(site, undoing(site, site.run_id, (RESIDENTS[1],)))
        assert (done.code, done.last.status, site.writes) == (ExitCode.OK, "skipped", writes)
        assert "activated nothing on it" in done.why
        assert runs(site.guest(RESIDENTS[1])) == kept

    scene(golden, act)


def test_what_ran_then_and_is_gone_is_refused_by_name(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        guest = site.guest(OLD)
        gone = runs(guest)
        await rebuilt(site, "one", "two")
        run, kept = next(iter(site.sim.journals)), runs(guest)
        first = next(name for name, journal in site.sim.journals.items() if journal.entries())
        assert was_before(first, site.sim.journals[first].entries(), OLD).path == gone
        assert run in site.sim.journals
        number = next(each.number for each in generations.generations(guest.tree) if each.path == gone)
        generations.delete_generations(guest.tree, {number})
        guest.tree.symlink(kept, "/run/booted-system")  # as after a boot
        gc.collect(guest.tree)
        assert not guest.tree.exists(gone)
        done = await went(site, undoing(site, first, (OLD,)))
        assert (done.code, runs(guest)) == (ExitCode.REFUSED, kept)
        assert gone in done.why

    scene(golden, act)


def test_a_system_that_is_no_generation_any_more_but_is_kept_becomes_one_again(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        guest = site.guest(OLD)
        old = runs(guest)
        await rebuilt(site, "one")
        number = next(each.number for each in generations.generations(guest.tree) if each.path == old)
        generations.delete_generations(guest.tree, {number})
        assert (await went(site, undoing(site, site.run_id, (OLD,)))).code is ExitCode.OK  # the booted system is a root
        assert (runs(guest), numbers(guest)[-1]) == (old, generations.current_number(guest.tree))

    scene(golden, act)


def test_a_kernel_that_waits_for_a_reboot_is_named_on_the_way(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        booted = generations.current_number(site.guest(OLD).tree)
        site.sim.change_main("nix/modules/role-base.nix", KERNEL)
        assert (await site.run("rebuild", hosts=(OLD,))).code is ExitCode.OK
        newer = generations.current_number(site.guest(OLD).tree)
        for number, warns in ((booted, False), (newer, True)):
            run = site.sim.plan("rollback", (OLD,), Task(verb="rollback", args={"to": number}))
            site.rules.asked[run.run] = number
            done = await went(site, run)
            assert (done.code, KERNEL_WORDS in done.text) == (ExitCode.OK, warns)
            assert "data stays as it is" in done.text

    scene(golden, act)


@killed
def test_a_way_back_is_gone_once(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        guest = site.guest(OLD)
        old = runs(guest)
        await rebuilt(site, "one")
        there = numbers(guest)
        assert await through(site, undoing(site, site.run_id, (OLD,)), before=before) > 10
        assert (runs(guest), numbers(guest)) == (old, there)

    scene(golden, act)


def pruning(**args: int | str) -> Task:
    return Task(verb="prune-generations", args={"keep": 1, **args})


@killed
def test_old_generations_go_and_the_boot_loader_offers_what_is_left(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        guest = site.guest(OLD)
        booted = runs(guest)
        await rebuilt(site, "one", "two", "three")
        current = runs(guest)
        was = next(each.number for each in generations.generations(guest.tree) if each.path == booted)
        assert await through(site, site.sim.plan("prune", (OLD,), pruning()), before=before) > 10
        assert numbers(guest) == [was, generations.current_number(guest.tree)]
        assert (runs(guest), entries(guest)) == (current, numbers(guest))
        assert not guest.tree.exists("/run/pvenix/fence")
        assert (await site.run(pruning(), hosts=(OLD,))).last.status == "ok"

    scene(golden, act)


def test_the_inventory_says_how_many_stay_and_a_pinned_one_always_does(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.sim.change_host(OLD, generations=Generations(keep=2, older_than_s=0))
        guest = site.guest(OLD)
        await rebuilt(site, "one", "two", "three", "four")
        all_of_them = numbers(guest)
        pin = Task(verb="pin-generation", args={"number": all_of_them[2], "reason": " before\tthe \x1b[31mmove "})
        assert (await site.run(pin, hosts=(OLD,))).code is ExitCode.OK
        assert guest.tree.readlink(f"{PINS}/{all_of_them[2]}.why") == "before the [31mmove"
        writes = site.writes
        assert (await site.run(pin, hosts=(OLD,))).last.status == "ok"
        assert site.writes == writes
        assert (await site.run("prune-generations", hosts=(OLD,))).code is ExitCode.OK
        assert numbers(guest) == [*all_of_them[1:3], *all_of_them[-2:]]  # the second one was booted

    scene(golden, act)


def test_a_pinned_system_outlives_whatever_others_delete_and_collect(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        guest = site.guest(OLD)
        await rebuilt(site, "one", "two")
        pinned = generations.generations(guest.tree)[-2]
        task = Task(verb="pin-generation", args={"number": pinned.number})
        assert (await site.run(task, hosts=(OLD,))).code is ExitCode.OK
        generations.delete_generations(guest.tree, {pinned.number})
        for name in guest.tree.listdir("/var/lib/pvenix"):
            if name != "pins":
                guest.tree.remove(f"/var/lib/pvenix/{name}")  # the roots of attempts
        gc.collect(guest.tree)
        assert guest.tree.exists(pinned.path)
        unpin = Task(verb="unpin-generation", args={"number": pinned.number})
        assert (await site.run(unpin, "collect-garbage", hosts=(OLD,))).code is ExitCode.OK
        assert not guest.tree.exists(pinned.path)
        assert guest.tree.listdir(PINS) == []

    scene(golden, act)


@killed
@pytest.mark.parametrize("verb", ["pin-generation", "unpin-generation"])
def test_a_pin_is_made_and_taken_away_whole(golden: Golden, verb: str, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        guest = site.guest(OLD)
        pin = Task(verb="pin-generation", args={"number": 1, "reason": "why"})
        if verb != pin.verb:
            assert (await site.run(pin, hosts=(OLD,))).code is ExitCode.OK
        task = pin if verb == pin.verb else Task(verb=verb, args={"number": 1})
        assert await through(site, site.sim.plan(verb, (OLD,), task), before=before) > 2
        assert guest.tree.listdir(PINS) == (["1", "1.why"] if verb == pin.verb else [])

    scene(golden, act)


@killed
def test_garbage_goes_and_nothing_that_is_needed(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        guest = site.guest(OLD)
        await rebuilt(site, "one", "two")
        live, dead = gc.live_and_dead(guest.tree)
        guest.tree.put("/nix/store/" + "0" * 32 + "-litter/file", "x" * 5000)
        assert await through(site, site.sim.plan("gc", (OLD,), Task(verb="collect-garbage")), before=before) > 2
        assert gc.live_and_dead(guest.tree) == (live, [])
        assert set(dead) <= {path for path in dead if not guest.tree.exists(path)}
        assert (await site.run("collect-garbage", hosts=(OLD,))).last.summary == "no garbage"

    scene(golden, act)


def test_nothing_is_pruned_while_somebody_activates(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        guest = site.guest(OLD)
        await rebuilt(site, "one", "two")
        there = numbers(guest)
        guest.tree.put("/run/pvenix/fence/20260101-120000-abcd-0.0-1", "")
        done = await site.run(pruning(), hosts=(OLD,))
        assert (done.code, numbers(guest)) == (ExitCode.LOCKED, there)
        assert "20260101-120000-abcd" in done.why

    scene(golden, act)
