"""Arming faults: names, rows, arguments, schedules; and that every fault of the catalogue is shown by a test."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import grimp
import pytest

from pvenix_lab.faces.control import ControlFace
from pvenix_lab.site.core import Site
from pvenix_lab.site.faults import CATALOGUE, FOREVER, ROWS, Faults, Kind
from tests.lab.pve_support import FakeGuest, PveLab, VirtualLoop, copy_disk, in_lab

HERE = Path(__file__).parent


def struck(faults: Faults, name: str, occasions: int, host: str = "web") -> list[int]:
    """The numbers, from 1, of the occasions that are struck."""
    return [number for number in range(1, occasions + 1) if faults.take(name, host)]


def test_a_fault_strikes_from_the_nth_occasion_on_and_as_often_as_told() -> None:
    faults = Faults()
    faults.arm("build-fails", "web", times=2, nth=3)
    assert struck(faults, "build-fails", 8) == [3, 4]
    assert not faults.list()
    faults.arm("build-fails", times=FOREVER, nth=2)
    assert struck(faults, "build-fails", 4) == [2, 3, 4]


def test_occasions_of_other_hosts_are_not_counted() -> None:
    faults = Faults()
    faults.arm("build-fails", "web", nth=2)
    assert struck(faults, "build-fails", 3, "dns") == []
    assert struck(faults, "build-fails", 3) == [2]


def test_a_call_that_concerns_two_hosts_is_one_occasion() -> None:
    faults = Faults()
    faults.arm("pve-status", nth=2)
    assert [bool(faults.take_any("pve-status", ("a", "b"))) for _ in range(3)] == [False, True, False]


def test_chance_is_drawn_from_the_seed() -> None:
    def played() -> list[int]:
        faults = Faults()
        faults.arm("build-fails", times=FOREVER, chance=0.3)
        return struck(faults, "build-fails", 100)

    assert played() == played()
    assert 15 < len(played()) < 45


def test_a_window_opens_and_closes_on_the_site_s_clock() -> None:
    faults = Faults()
    seen: list[tuple[float, bool, bool]] = []

    async def story() -> None:
        loop = asyncio.get_running_loop()
        faults.arm("agent-absent", after_s=10, for_s=20)
        faults.arm("build-fails", times=FOREVER, after_s=10, for_s=20)
        for _ in range(5):
            seen.append((loop.time(), bool(faults.peek("agent-absent")), bool(faults.take("build-fails"))))
            await asyncio.sleep(9)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())
    assert seen == [(0, False, False), (9, False, False), (18, True, True), (27, True, True), (36, False, False)]
    assert not faults.list()


def test_an_event_happens_once_at_its_time_and_a_state_is_undone(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        site = lab.site
        template = site.cluster.vms[8100]
        site.faults.arm("vm-moved", "tappaas-nixos", after_s=5, node="tappaas2")
        site.faults.arm("vm-locked", "tappaas-nixos", for_s=8)
        seen = [(template.node, template.lock)]
        await asyncio.sleep(6)
        seen.append((template.node, template.lock))
        await asyncio.sleep(3)
        seen.append((template.node, template.lock))
        assert seen == [("tappaas1", "backup"), ("tappaas2", "backup"), ("tappaas2", None)]
        assert site.faults.list() == ()

    in_lab(tmp_path, story)


def test_clearing_ends_a_state_and_keeps_a_scheduled_event_from_happening(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        site = lab.site
        site.faults.arm("no-quorum")
        site.faults.arm("F26", "tappaas-nixos", after_s=5)
        quorate = [site.cluster.quorate]
        site.faults.clear()
        await asyncio.sleep(6)
        quorate.append(site.cluster.quorate)
        assert quorate == [False, True]
        assert site.cluster.vms[8100].node == "tappaas1"

    in_lab(tmp_path, story)


@pytest.mark.parametrize(("cleared", "runs"), [(False, False), (True, True)])
def test_the_ha_manager_of_the_site_acts_a_round_after_it_was_asked(tmp_path: Path, cleared: bool, runs: bool) -> None:
    async def story(lab: PveLab) -> None:
        vm = "/nodes/tappaas1/qemu/250"
        assert await lab.clone() == "OK"
        assert await lab.done("POST", f"{vm}/status/start") == "OK"
        lab.site.faults.arm("ha-managed", "fix")
        assert await lab.done("POST", f"{vm}/status/stop") == "OK"
        seen = [lab.site.cluster.vms[250].running]
        if cleared:
            lab.site.faults.clear()
        await asyncio.sleep(20)
        seen.append(lab.site.cluster.vms[250].running)
        assert seen == [True, runs]

    in_lab(tmp_path, story)


def test_a_site_that_was_handed_no_faults_says_so(tmp_path: Path) -> None:
    site = Site(root=tmp_path, guest_factory=FakeGuest, clone_disk=copy_disk)
    with pytest.raises(ValueError, match="made without faults"):
        site.faults.arm("no-quorum")


def test_no_circle_of_imports_in_the_lab_has_more_than_four_files() -> None:
    graph = grimp.build_graph("pvenix_lab", cache_dir=None)
    circles = {
        frozenset({name} | (graph.find_upstream_modules(name) & graph.find_downstream_modules(name)))
        for name in graph.modules
    }
    assert max(map(len, circles)) <= 4, max(circles, key=len)


def test_a_scheduled_event_whose_vm_has_gone_does_not_happen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story(lab: PveLab) -> None:
        assert await lab.clone() == "OK"
        lab.site.faults.arm("vm-moved", "fix", after_s=5)
        assert await lab.done("DELETE", "/nodes/tappaas1/qemu/250") == "OK"
        await asyncio.sleep(10)
        assert lab.site.faults.list() == ()

    in_lab(tmp_path, story)
    assert "fix has no VM" in caplog.text


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("biuld-fails", {}, "unknown fault 'biuld-fails', did you mean 'build-fails'?"),
        ("F99", {}, "unknown fault 'F99', did you mean 'F39'?"),
        ("F15", {}, "F15 (encoding of sshkeys) needs no arming"),
        ("T9", {}, "cannot be shown by a site"),
        ("clone-slow", {"secnds": 5}, "has no argument 'secnds', did you mean 'seconds'?; it has: seconds (number)"),
        ("clone-slow", {"seconds": "soon"}, "seconds='soon' is not a number"),
        ("clone-slow", {"seconds": -1}, "seconds=-1 is not a number"),
        ("id-taken", {"when": "later"}, "when='later' is not at-once or in-task or answer-lost"),
        ("vm-locked", {}, "it needs a host"),
        ("vm-locked", {"host": "nobody"}, "nobody has no VM"),
        ("no-quorum", {"nth": 2}, "it is a state: nth and chance are for occasions"),
        ("ssh-drop", {"for_s": 2}, "an event happens once"),
        ("build-fails", {"times": -1}, "must be 0 (until cleared) or more"),
        ("build-fails", {"chance": 0}, "chance is above 0"),
        ("build-fails", {"nth": 0}, "nth counts from 1"),
        ("node-down", {"node": "tappaas9"}, "there is no node 'tappaas9'"),
    ],
)
def test_what_makes_no_sense_is_refused_and_arms_nothing(
    tmp_path: Path, name: str, fields: dict[str, Any], words: str
) -> None:
    async def story(lab: PveLab) -> None:
        site = lab.site
        with pytest.raises(ValueError, match=re.escape(words)):
            site.faults.arm(name, **fields)
        assert not site.faults.list()

    in_lab(tmp_path, story)


def test_no_argument_has_the_name_of_a_part_of_the_schedule() -> None:
    taken = {"name", "host", "times", "nth", "after_s", "for_s", "chance"}
    assert {spec.name: arg.name for spec in CATALOGUE.values() for arg in spec.args if arg.name in taken} == {}


def test_a_row_arms_its_fault_and_given_arguments_beat_the_row_s() -> None:
    faults = Faults()
    assert (faults.arm("f09").name, faults.arm("F07", seconds="2").number("seconds")) == ("pve-status", 2.0)
    assert faults.arm("F09", status=503).number("status") == 503
    assert faults.arm("F09").text("path") == "/status"


def test_looking_for_faults_costs_nothing_while_none_is_armed() -> None:
    faults = Faults()
    began = time.process_time()
    for _ in range(100_000):
        faults.peek("agent-absent", "web")
    assert time.process_time() - began < 5


def test_every_row_names_a_fault_that_says_so_or_says_why_not() -> None:
    for name, row in ROWS.items():
        assert bool(row.fault) != bool(row.note), name
        if row.fault:
            spec = CATALOGUE[row.fault]
            assert name in spec.rows, f"{spec.name} does not say that it shows {name}"
            spec.parse(row.args)
    assert {f"F{n:02}" for n in range(1, 44)} | {f"T{n}" for n in range(1, 18)} <= set(ROWS)
    assert {row for spec in CATALOGUE.values() for row in spec.rows} <= set(ROWS)


def test_every_fault_is_armed_in_a_test_of_the_lab() -> None:
    texts = "".join(path.read_text() for path in HERE.glob("test_*.py") if path != Path(__file__))
    unseen = [name for name in CATALOGUE if f'"{name}"' not in texts]
    assert unseen == []


def test_a_fault_that_acts_by_itself_is_no_occasion_and_has_a_beginning() -> None:
    for spec in CATALOGUE.values():
        assert spec.kind is not Kind.EVENT or spec.begin is not None, spec.name
        assert spec.kind is not Kind.OCCASION or spec.begin is None, spec.name


def test_the_control_port_checks_hosts_and_schedules(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        site = lab.site
        (site.root / "fleet/inventory").mkdir(parents=True)
        (site.root / "fleet/inventory/hosts.yaml").write_text("all:\n  children:\n    web: {hosts: {web05: {}}}\n")
        control = ControlFace(site, "t", lambda: None)

        def ask(**fields: object) -> object:
            answer = control._answer(json.dumps({"token": "t", "op": "fault", **fields}).encode())
            return answer.get("error", answer.get("fault"))

        assert ask(name="build-fails", host="web5") == "unknown host 'web5', did you mean 'web05'?"
        assert ask(name="build-fails", host="web05", times="many") == "times is a whole number"
        armed = {"name": "build-fails", "host": "web05", "times": 1, "args": {}, "nth": 3, "chance": 0.5}
        assert ask(name="build-fails", host="web05", nth=3, chance=0.5) == armed
        assert ask(name="F05", host="tappaas-nixos", for_s=3) is not None
        listed = control._answer(b'{"token": "t", "op": "faults"}')["catalogue"]
        assert isinstance(listed, list)
        assert [spec["name"] for spec in listed] == list(CATALOGUE)

    in_lab(tmp_path, story)
