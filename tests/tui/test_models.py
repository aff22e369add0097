from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pvenix.model.events import HostEnded, Progress
from pvenix.model.generation import EDITED, Sync
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix.model.status import HostStatus
from pvenix_tui.models.commandline import equivalent
from pvenix_tui.models.fleetrows import COLUMNS
from pvenix_tui.models.hostfacts import Known, facts_lines
from pvenix_tui.models.lines import Tone, cells, clip, column_widths, fit, fit_words, plain, wrap, wrap_at_most
from pvenix_tui.models.logpane import LogPane
from pvenix_tui.models.plan import GUARD_S, ConfirmGate, Tier, plan_view, reach_of
from pvenix_tui.models.ring import LINE_COST, LineRing
from pvenix_tui.models.run import RunModel
from pvenix_tui.text import foreign, safe, safe_output
from tests.tui.fake_inventory import fake_host, fake_status

HOSTILE = "\x1b]52;c;ZWNobyBwd25lZA==\x07[@click=app.bell]x[/]\x9b2J\u202e\x00\tend"


def plan(*verbs: str, hosts: tuple[str, ...] = ("a",), check: bool = False, **args: int | str | bool) -> RunPlan:
    tasks = tuple(Task(verb=verb, args=args) for verb in verbs)
    return RunPlan(title="t", plays=(PlayPlan(name="p", waves=(hosts,), tasks=tasks),), fleet="/f", check=check)


@given(st.text())
def test_no_text_leaves_the_second_wall_with_a_control_or_reordering_character(text: str) -> None:
    for clean in (safe(text), safe_output(text)):
        assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in clean)
        assert not any(character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069" for character in clean)


def test_foreign_text_is_content_that_holds_no_style_and_no_action() -> None:
    content = foreign(HOSTILE)
    assert "[@click=app.bell]x[/]" in content.plain
    assert content.spans == []


@given(st.text(), st.integers(min_value=0, max_value=40))
def test_a_fitted_text_has_exactly_the_width(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width


@given(st.text(alphabet="ab é漢", max_size=60), st.integers(min_value=6, max_value=30))
def test_wrapping_loses_nothing_but_a_space_at_a_break_and_stays_within_the_width(text: str, width: int) -> None:
    half = len(text) // 2
    pieces = wrap(((text[:half], Tone.PLAIN), (text[half:], Tone.BAD)), width, indent=2)
    assert all(cells(piece) <= width for piece in pieces)
    first, *rest = (plain(piece) for piece in pieces)
    joined = first + "".join(piece[2:] for piece in rest)
    assert joined.replace(" ", "") == text.replace(" ", "")
    assert len(text) - len(joined) <= len(rest)


def test_wrapping_breaks_between_words() -> None:
    text = "backup job nightly names it: it is taken off the list"
    pieces = [plain(piece).strip() for piece in wrap(((text, Tone.PLAIN),), 20, indent=2)]
    assert " ".join(pieces) == text
    assert all(len(piece) <= 20 for piece in pieces)


@given(st.text(alphabet="ab ,é", max_size=60), st.integers(min_value=0, max_value=40))
def test_prose_that_does_not_fit_loses_whole_words(text: str, width: int) -> None:
    shown = fit_words(text, width)
    assert cell_len(shown) == width
    kept, sign, _ = shown.partition(" …")
    if sign and kept.strip():
        assert text.startswith(kept)
        assert text[len(kept)] in " ,"


@given(st.text(alphabet="ab é漢", max_size=60), st.integers(min_value=1, max_value=30))
def test_a_line_that_is_cut_says_so_and_one_that_fits_is_left_alone(text: str, width: int) -> None:
    half = len(text) // 2
    line = ((text[:half], Tone.PLAIN), (text[half:], Tone.BAD))
    cut = clip(line, width)
    assert cells(cut) <= width
    assert plain(cut) == text if cells(line) <= width else plain(cut).endswith("…")


def test_columns_fit_every_width_and_the_host_is_never_left_out() -> None:
    for width in (60, 80, 100, 120, 160, 200):
        widths = column_widths(COLUMNS, width)
        assert sum(widths) + sum(1 for each in widths if each) - 1 <= width
        assert widths[2] >= 15
    assert all(column_widths(COLUMNS, 160))


@given(st.lists(st.text(alphabet="ab\u00e9", max_size=200), max_size=60), st.integers(min_value=200, max_value=4000))
def test_a_ring_never_costs_more_than_its_budget_and_numbers_stay(lines: list[str], budget: int) -> None:
    ring = LineRing(budget)
    ring.extend(lines)
    assert ring.end == len(lines)
    assert ring.cost <= max(budget, LINE_COST + 4 * 200)
    for number in range(ring.base, ring.end):
        assert ring.line(number) == lines[number]


def test_a_paused_pane_keeps_its_line_at_the_top_while_lines_come() -> None:
    ring = LineRing(100_000)
    pane = LogPane(ring, height=5)
    ring.extend(str(number) for number in range(20))
    pane.scroll(-3)
    before = pane.rows(20, 5)
    ring.extend(["new"] * 7)
    assert pane.rows(20, 5) == before
    assert pane.new_lines == 7
    pane.scroll(100)
    assert pane.following


def test_a_wrapped_pane_that_follows_ends_with_the_newest_line() -> None:
    ring = LineRing(100_000)
    ring.extend(["x" * 50, "y" * 25])
    pane = LogPane(ring, wrapping=True)
    rows = [plain(row) for row in pane.rows(20, 4)]
    assert rows[-1].strip() == "y" * 5
    assert len(rows) == 4


def test_the_tier_follows_from_what_a_plan_reaches() -> None:
    assert reach_of(plan("build")).tier is Tier.FREE
    assert reach_of(plan("rebuild")).tier is Tier.KEY
    assert reach_of(plan("rebuild", hosts=("a", "b"))).tier is Tier.READ
    assert reach_of(plan("retire")).tier is Tier.TYPED
    assert reach_of(plan("retire", check=True)).tier is Tier.FREE
    assert reach_of(plan("place", "clone")).tier is Tier.KEY


def test_a_key_counts_only_after_a_pause_without_it() -> None:
    gate = ConfirmGate(0.0)
    assert not gate.press(0.1)
    assert not gate.press(0.1 + GUARD_S - 0.01)
    assert gate.press(0.1 + 2 * GUARD_S)


def test_the_equivalent_command_says_what_the_plan_does() -> None:
    assert equivalent(plan("rollback", to=41)) == "pvenix rollback a --to 41"
    assert equivalent(plan("pin-generation", number=41, reason="a b")) == "pvenix generations pin a 41 --reason 'a b'"
    assert equivalent(plan("prune-generations", keep=3)) == "pvenix generations prune a --keep 3"
    assert equivalent(plan("clone", full=True, check=True)) == "pvenix clone a --full --check"
    assert equivalent(plan("rebuild", hosts=("a", "$(reboot)"))) == "pvenix rebuild a '$(reboot)'"
    looked = PlayPlan(name="p", waves=(("a", "b"),), tasks=(Task(verb="preflight"),))
    both = replace(plan("rebuild", hosts=("a", "b")), plays=(looked, *plan("rebuild", hosts=("a", "b")).plays))
    assert equivalent(both) == "pvenix rebuild a b", "the command looks at all of them first by itself"


def test_a_plan_for_hundreds_of_hosts_begins_with_what_decides_and_keeps_its_whole_command() -> None:
    view = plan_view(plan("rebuild", hosts=tuple(f"web-{number:03}" for number in range(200))))
    shown = [plain(line) for line in view.lines]
    assert sum(len(line) for line in shown[: shown.index("")]) < 700
    assert view.command.endswith(" web-199")
    assert any("Y copies all of it" in line for line in shown)


@given(st.text(alphabet="ab é漢", max_size=200), st.integers(min_value=6, max_value=30))
def test_what_takes_too_many_lines_ends_with_an_ellipsis_within_the_width(text: str, width: int) -> None:
    pieces = wrap_at_most(((text, Tone.PLAIN),), width, 3, indent=2)
    assert len(pieces) <= 3
    assert all(cells(piece) <= width for piece in pieces)
    assert len(wrap(((text, Tone.PLAIN),), width, indent=2)) <= 3 or plain(pieces[-1]).endswith("…")


def test_why_a_host_is_not_tried_again_does_not_hide_how_it_ended() -> None:
    model, at = RunModel(plan("clone", hosts=("web01",))), "2026-01-01T00:00:00.000Z"
    model.apply(
        (
            HostEnded(run="r", seq=1, at=at, host="web01", status="failed", summary="broke"),
            Progress(run="r", seq=2, at=at, host="web01", text="not tried again: its wave is over"),
        )
    )
    host = model.hosts["web01"]
    assert (host.state, host.said, host.hint) == ("failed", "broke", "not tried again: its wave is over")


@pytest.mark.parametrize("module", ["pvenix_tui.models.fleet", "pvenix_tui.models.runrows", "pvenix_tui.models.review"])
def test_a_view_model_loads_no_textual(module: str) -> None:
    code = f"import sys, {module}; raise SystemExit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_application_loads_neither_the_far_sides_libraries_nor_the_inventorys_before_it_runs() -> None:
    code = (
        "import sys, pathlib, pvenix_tui.app, pvenix.wiring\n"
        "pvenix.wiring.Workspace.open(pathlib.Path.cwd())\n"
        "bad = {'asyncssh', 'git', 'proxmoxer', 'requests', 'pydantic', 'ruamel'} & set(sys.modules)\n"
        "raise SystemExit(' '.join(bad) or 0)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_widget_of_textual_gets_foreign_text_as_a_string() -> None:
    root = Path(__file__).parents[2] / "tui" / "pvenix_tui"
    for path in root.rglob("*.py"):
        source = path.read_text()
        for word in ("Static(", "Label(", "RichLog(", "DataTable(", "OptionList(", "Markdown(", ".notify(", "markup="):
            assert word not in source, f"{path.name} uses {word}"


def test_a_silent_host_is_shown_with_what_it_was_and_when() -> None:
    last = HostStatus(
        host="dns01", sync=Sync.BEHIND, seen_at="2025-01-01T00:00:00+00:00", generation=7, vmid=200, node="pve1"
    )
    silent = HostStatus(host="dns01", sync=Sync.UNREACHABLE, seen_at="2025-01-01T02:00:00+00:00", last=last)
    shown = [
        plain(line) for line in facts_lines(fake_host("dns01", "core", "dns"), Known(status=silent), 1735689600 + 7200)
    ]
    assert "last     2h ago it was behind, generation 7" in shown
    assert "VM       not known; 200 on pve1 when it last answered" in shown
    assert not any(line.startswith(("runs", "current")) for line in shown)


def test_a_host_s_page_names_each_drift_once_and_what_waits_for_a_boot() -> None:
    status = fake_status("tappaas-vllm", 3, Sync.DRIFTED)
    assert status.facts is not None
    facts = replace(status.facts, reboot=("kernel",), fence=("r1-0.0-1",))
    status = replace(status, facts=facts, drift=(f"{EDITED}M x", "hardware: 2 lines"), held_by="run r1 of ann")
    shown = [plain(line) for line in facts_lines(fake_host("tappaas-vllm", "ai", "vllm"), Known(status=status), 0.0)]
    titled = [line.split(None, 1) for line in shown if line.startswith(("edited", "drift", "reboot", "attempt"))]
    assert titled == [
        ["edited", "changed: configuration.nix"],
        ["drift", "hardware: 2 lines"],
        ["reboot", "kernel"],
        ["attempt", "r1-0.0-1: run r1 of ann"],
    ]
