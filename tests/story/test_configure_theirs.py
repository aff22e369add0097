"""What somebody else set stays: settings, tags, notes, and a VM that pvenix did not make."""

from __future__ import annotations

import pytest

from pvenix.model.errors import ExitCode
from tests.sim.golden import Golden
from tests.story.configure_scene import configure, recorded, says
from tests.story.fault_scene import OLD, Scene, row, scene

pytestmark = pytest.mark.sim


@row("F37", "F21")
def test_only_what_differs_of_what_is_declared_is_written(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        vm = site.vm(OLD)
        for key, value in {
            "cipassword": "$5$lab$theirs",
            "cpulimit": "2",
            "args": "-x",
            "hookscript": "local:s/x",
        }.items():
            vm.config[key] = value
        vm.config["net0"] = f"{vm.config['net0']},rate=12"
        vm.config["tags"] = "core;nixos;pvenix;theirs"
        vm.config["description"] = "Call Ann first.\n\n" + str(vm.config["description"])
        before = dict(vm.config)
        says(site, network__vlan=99, **{"tags+": ["mine"]})
        done = await configure(site)
        assert done.code is ExitCode.OK, done.why
        changed = {key for key in {*before, *vm.config} if before.get(key) != vm.config.get(key)}
        assert changed == {"net0", "tags", "description"}
        assert {"rate=12", "tag=99"} <= set(str(vm.config["net0"]).split(","))
        assert {"theirs", "mine", "pvenix"} <= set(str(vm.config["tags"]).split(";"))
        assert str(vm.config["description"]).startswith("Call Ann first.\n\npvenix-host: ")
        assert (done.sent("cipassword"), done.sent("***")) == (0, 0)

    scene(golden, act)


@row("F37")
def test_a_change_between_reading_and_writing_is_never_overwritten(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, cores=6)
        site.arm("pve-stall", method="PUT", path="/config", seconds=5)
        site.arm("F37", OLD, after_s=2, key="cores", value="3")
        done = await configure(site)
        assert (done.code, "was changed meanwhile" in done.why) == (ExitCode.FAILED, True), done.why
        assert str(site.vm(OLD).config["cores"]) == "3"

    scene(golden, act)


@row("F37")
def test_a_converged_vm_without_a_record_is_not_written_to(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        writes = site.writes
        done = await configure(site)
        assert (done.code, site.writes, recorded(site)) == (ExitCode.OK, writes, {}), done.why

    scene(golden, act)


def test_a_vm_that_pvenix_did_not_make_keeps_its_settings(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.vm(OLD).config["description"] = "made by hand"
        says(site, cores=6)
        writes, done = site.writes, await configure(site)
        assert (site.writes, "pvenix adopt" in done.why) == (writes, True), done.why

    scene(golden, act)
