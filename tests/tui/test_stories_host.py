from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pvenix.model.inspection import HardwareText, UnitList
from pvenix.model.plan import RunPlan
from pvenix.model.status import Console
from pvenix_tui.screens.dialogs import Picker
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend
from tests.tui.fake_inspection import BASE, edited, fake_drift, fake_unit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.tui
HOST = "tappaas-vllm"
UNBORN = "tappaas-litellm"


@asynccontextmanager
async def at_host(open_ui: OpenUi, *keys: str, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Ui]:
    """The drifted host's screen, and some keys pressed there."""
    async with open_ui(size) as ui:
        await ui.go_to(HOST)
        await ui.press("enter", *keys)
        yield ui


async def to_tab(ui: Ui, name: str) -> None:
    """Choose a tab by its name."""
    await ui.do("host.tabs")
    await ui.type(name)
    await ui.press("enter")
    ui.later()


async def test_a_host_tells_who_it_is_who_deployed_it_and_what_needs_a_person(open_ui: OpenUi) -> None:
    async with at_host(open_ui) as ui:
        ui.expect("~ drifted", "DRIFT 1", "FAILED 1", "[Facts]")
        ui.expect("pinned for everybody: SHA256:abc", "nixos, by clone", "running 12d, cpu 61% of 8")
        ui.expect("rebuild by ana 1d ago, changed")
        ui.expect("changed: configuration.nix", "vllm.service")


async def test_a_host_that_stays_in_front_is_read_every_half_minute(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with at_host(open_ui) as ui:
        ui.later(120)
        ui.app._mark_changed()
        await ui.tick()
        assert "drifted?" in ui.line("FAILED 1")
        backend.stamp_now = "2026-11-20T10:21:58.000Z"
        ui.app._read_again()
        await ui.settle()
        ui.expect("state    ~ drifted", "read     2s ago")


async def test_d_on_the_fleet_leads_to_the_drift_of_the_host_file_by_file(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.go_to(HOST)
        await ui.do("host.drift")
        ui.expect("[Drift]", "nix/hosts/tappaas-vllm.nix  changed  +1 -0", "+services.vllm.maxModelLen = 8192;")
        ui.expect("nix/common.nix  changed  +1 -0  shared with other hosts")
        await ui.press("escape")
        ui.expect_screen("fleet")


async def test_edits_are_adopted_into_a_branch_through_a_plan(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with at_host(open_ui, "d") as ui:
        await ui.do("host.adopt")
        ui.expect("adopt-edits tappaas-vllm", "pvenix drift adopt tappaas-vllm")
        await ui.confirm()
        [plan] = ui.started()
        assert isinstance(plan, RunPlan)
        assert [(task.verb, dict(task.args)) for task in plan.plays[0].tasks] == [("adopt-edits", {})]


async def test_after_a_run_from_the_host_its_tabs_are_read_anew(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with at_host(open_ui, "d") as ui:
        ui.expect("nix/common.nix")
        await ui.do("host.adopt")
        await ui.confirm()
        backend.drift_now = fake_drift()
        backend.end_run(ui.run(), 0, changed=1)
        await ui.press("escape")
        ui.expect("[Drift]", "no edits: /etc/nixos is as")


async def test_what_the_hardware_generator_writes_now_is_adopted_with_the_edits(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.drift_now = fake_drift(hardware="--- a\n+++ b\n@@ -1 +1 @@\n-old\n+nvme\n")
    async with at_host(open_ui, "d") as ui:
        ui.expect("hardware, as its generator writes it now", "+nvme")
        await ui.do("host.adopt")
        ui.expect("pvenix drift adopt tappaas-vllm --hardware")


async def test_overwriting_names_what_is_put_aside_before_it_can_be_started(open_ui: OpenUi) -> None:
    async with at_host(open_ui, "d") as ui:
        await ui.do("host.overwrite")
        ui.expect("pvenix drift overwrite tappaas-vllm")
        await ui.press("G")
        ui.expect("nix/common.nix goes into a git stash of /etc/nixos")
        await ui.confirm()
        [plan] = ui.started()
        assert isinstance(plan, RunPlan)
        assert [task.verb for task in plan.plays[-1].tasks] == ["rebuild"]


async def test_the_file_at_the_top_is_ignored_by_a_line_of_the_inventory(open_ui: OpenUi, backend: FakeBackend) -> None:
    long = [f"option{n} = true;" for n in range(40)]
    backend.drift_now = fake_drift(edited("nix/hosts/tappaas-vllm.nix", *long), edited("notes", *long))
    async with at_host(open_ui, "d") as ui:
        await ui.do("host.next_file", "host.ignore")
        ui.expect("ignore notes on tappaas-vllm", "pvenix drift ignore tappaas-vllm notes")
        await ui.confirm()
        ui.expect("notes is ignored on tappaas-vllm")
        assert backend.ignored == ["notes"]


async def test_files_and_hunks_are_walked_with_braces_and_n(open_ui: OpenUi, backend: FakeBackend) -> None:
    long = [f"option{n} = true;" for n in range(30)]
    backend.drift_now = fake_drift(edited("a.nix", *long), edited("b.nix", *long), edited("c.nix", *long))
    async with at_host(open_ui, "d", "}") as ui:
        assert "b.nix  changed" in ui.text().splitlines()[4]
        await ui.press("n")
        assert ui.text().splitlines()[4].startswith("│@@")
        await ui.press("{", "{")
        assert "a.nix  changed" in ui.text().splitlines()[4]
        await ui.press("{")
        ui.expect("no file above")


async def test_ways_out_say_why_not_where_nothing_was_edited_or_another_tab_shows(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.drift_now = fake_drift()
    async with at_host(open_ui) as ui:
        await ui.do("host.adopt")
        ui.expect_error("on the tab Drift only")
        await ui.press("d")
        ui.expect("no edits: /etc/nixos is as 3f2c1a9b77 has it")
        await ui.do("host.adopt")
        ui.expect_error("nobody edited anything there")


async def test_a_host_that_does_not_answer_keeps_what_was_read_with_its_age(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with at_host(open_ui) as ui:
        await to_tab(ui, "units")
        ui.expect("nginx.service", "3/3 units, 1 failed")
        backend.mute = "no answer from 10.69.13.8 on port 22"
        ui.later(240)
        await ui.press("ctrl+r")
        ui.expect("could not be read, this is 4m old", "! no answer from 10.69.13.8 on port 22", "nginx.service")
        await to_tab(ui, "hardware")
        ui.expect("! no answer from 10.69.13.8 on port 22; is it on?", "could not be read")
        backend.mute = ""
        await ui.press("ctrl+r")
        ui.expect("the generator writes exactly this now", "read 0s ago")


async def test_a_tab_is_read_when_it_is_first_shown_and_not_before(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with at_host(open_ui) as ui:
        assert not {"units", "cloud_init", "journal", "hardware"} & {call[0] for call in backend.calls}
        await to_tab(ui, "cloud")
        assert ("cloud_init", HOST) in backend.calls
        ui.expect("[Cloud]", "ciuser        tappaas", "the inventory says 10.0.0.53", "**********")
        await ui.press("G")
        ui.expect("network-data as the drive has it now")


async def test_failed_units_come_first_and_enter_shows_one_with_its_journal(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with at_host(open_ui) as ui:
        await to_tab(ui, "units")
        ui.expect_cursor("vllm.service")
        ui.expect_in_row("vllm.service", "x failed")
        await ui.do("host.open")
        ui.expect("x vllm.service - failed (exit-code)", "CUDA is too old")
        ui.later()
        await ui.do("unit.journal")
        ui.expect("[Journal]", "unit vllm.service")
        assert ("journal of", "vllm.service", "") in backend.calls


async def test_units_are_filtered_and_a_hundred_thousand_do_not_hurt(open_ui: OpenUi, backend: FakeBackend) -> None:
    many = tuple(fake_unit(f"unit-{number}.service") for number in range(4000))
    backend.units_now = UnitList(units=many, more=96_000)
    async with at_host(open_ui) as ui:
        await to_tab(ui, "units")
        ui.expect("4000/100000 units")
        await ui.do("host.search")
        await ui.type("unit-399 running")
        await ui.press("enter")
        ui.expect("11/100000 units", "filter: unit-399")


async def test_the_journal_is_searched_narrowed_and_followed(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.journal_comes = ["2026-11-20T10:21:00+00:00 vllm app[7]: just now"]
    async with at_host(open_ui) as ui:
        await to_tab(ui, "journal")
        ui.expect("40 lines", "line 39")
        await ui.do("host.search")
        await ui.type("line 3:")
        await ui.press("enter")
        ui.expect_error("no line with 'line 3:'")
        await ui.do("host.priority")
        await ui.type("warning")
        await ui.press("enter")
        assert ("journal of", "", "warning") in backend.calls
        await ui.do("host.follow")
        ui.expect("just now", "the journal ended")


async def test_megabytes_on_a_line_and_control_sequences_stay_text(open_ui: OpenUi, backend: FakeBackend) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J[@click=app.quit]x[/]"
    backend.journal_now = [evil + "A" * 1_000_000, "after"]
    backend.hardware_now = HardwareText(path="nix/hw", commit=BASE, committed=evil + "B" * 1_000_000, diff=evil)
    backend.drift_now = fake_drift(edited(f"nix/{evil}.nix", evil + "C" * 1_000_000, stays=evil))
    async with at_host(open_ui, "d") as ui:
        for tab in ("journal", "hardware", "drift"):
            await to_tab(ui, tab)
            assert "\x1b" not in ui.text()
            ui.expect("[@click=app.quit]x[/]")


async def test_a_hosts_part_of_past_runs_opens_the_run(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with at_host(open_ui, "r") as ui:
        await ui.confirm()
        run = ui.run()
        backend.step(run, HOST, "rebuild", "changed", summary="43 active")
        backend.end_host(run, HOST, "changed", "43 active")
        backend.end_run(run, 0, changed=1)
        await ui.press("escape")
        await to_tab(ui, "runs")
        ui.expect_in_row(run.run, "changed", "rebuild tappaas-vllm")
        await ui.do("host.open")
        ui.expect_screen("run")


async def test_the_vm_is_shown_with_what_waits_and_what_was_kept_of_it(open_ui: OpenUi) -> None:
    async with at_host(open_ui) as ui:
        await to_tab(ui, "proxmox")
        ui.expect("230 on tappaas2", "running 12d, cpu 61% of 8, memory 22.0 GiB of 32.0 GiB", "memory = 65536")
        ui.expect("before-42", "pbs:vm-230", "qmstart")


async def test_facts_and_generations_stand_beside_a_tab_where_there_is_room(open_ui: OpenUi) -> None:
    async with at_host(open_ui, size=(120, 36)) as ui:
        ui.expect("pinned for", "GEN", "nix/hosts/tappaas-vllm.nix  changed")
        await to_tab(ui, "units")
        ui.expect("pinned for", "nginx.service")
        await ui.press("[")
        ui.expect("[Cloud]", "pinned for", "network-data")


async def test_ssh_and_the_editor_get_the_terminal_and_say_what_became_of_it(
    open_ui: OpenUi, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "ed")
    monkeypatch.delenv("VISUAL", raising=False)
    file = backend.root / "inventory" / "host_vars" / f"{HOST}.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("machine: {}\n")
    given: list[tuple[str, ...]] = []

    async def outside(argv: Sequence[str], *, cwd: Path | None = None) -> int:
        given.append(tuple(argv))
        if argv[0] == "ed":
            file.write_text("machine: {cores: 4}\n")
        return 0

    async with at_host(open_ui) as ui:
        ui.app.session.run_outside = outside
        await ui.do("host.ssh")
        ui.expect(f"back from {HOST}")
        await ui.do("host.edit")
        ui.expect("was changed; commit and push it")
        assert given == [("ssh", "-t", HOST), ("ed", str(file))]


async def test_a_shell_that_is_long_in_coming_says_so_and_takes_the_terminal_from_nothing_else(
    open_ui: OpenUi, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, given, console = asyncio.Event(), list[Sequence[str]](), backend.console

    async def slow(host: str) -> Console:
        await reached.wait()
        return await console(host)

    async def outside(argv: Sequence[str], *, cwd: Path | None = None) -> int:
        given.append(argv)
        return 0

    monkeypatch.setattr(backend, "console", slow)
    async with at_host(open_ui) as ui:
        ui.app.session.run_outside = outside
        ui.send("S")
        await ui.until(lambda: f"asking how {HOST} is reached" in ui.text())
        ui.send(":")
        await ui.until(lambda: isinstance(ui.app.screen, Picker))
        reached.set()
        await ui.settle()
        ui.expect_error("you went on meanwhile; press S again")
        assert not given


async def test_a_host_without_a_vm_says_so_in_every_pane_and_what_makes_one(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    name = UNBORN
    backend.silent = frozenset({name})
    async with open_ui((120, 36)) as ui:
        await ui.go_to(name)
        await ui.press("enter")
        ui.expect("No VM yet: o onboards it.", f"! {name} does not answer")
        ui.expect_not("The host itself did not answer")


@pytest.mark.parametrize(
    ("tab", "command"),
    [
        ("cloud-init", f"pvenix host cloudinit {HOST}"),
        ("units", f"pvenix host units {HOST}"),
        ("journal", f"pvenix host journal {HOST} -f"),
        ("hardware", f"pvenix drift show --hardware {HOST}"),
        ("config", f"pvenix inventory explain {HOST}"),
    ],
)
async def test_what_a_tab_shows_is_copied_as_the_command_line_that_reads_it(
    open_ui: OpenUi, tab: str, command: str
) -> None:
    async with at_host(open_ui, size=(120, 36)) as ui:
        await to_tab(ui, tab)
        await ui.do("frame.copy")
        ui.expect("the same from a shell", command)


async def test_a_journal_and_a_unit_are_copied_with_what_they_are_narrowed_to(open_ui: OpenUi) -> None:
    async with at_host(open_ui, size=(120, 36)) as ui:
        await to_tab(ui, "units")
        await ui.go_to("vllm.service")
        await ui.do("frame.copy")
        ui.expect(f"pvenix host units {HOST} vllm.service")
        await ui.press("escape", "enter")
        await ui.do("frame.copy")
        ui.expect(f"pvenix host journal {HOST} -u vllm.service")
        await ui.press("escape")
        await ui.do("unit.journal")
        await ui.do("frame.copy")
        ui.expect(f"pvenix host journal {HOST} -u vllm.service -f")
