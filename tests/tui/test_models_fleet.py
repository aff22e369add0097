from __future__ import annotations

from dataclasses import replace

import pytest

from pvenix.model.generation import Sync
from pvenix.model.status import HostStatus
from pvenix_tui.models.attention import attention, attention_line
from pvenix_tui.models.fleet import FleetModel
from pvenix_tui.models.fleetorder import Order, Sorting
from pvenix_tui.models.fleetrows import HostTable, host_cells, preview, summary
from pvenix_tui.models.fleetside import side_rows
from pvenix_tui.models.lastrun import LastRun
from pvenix_tui.models.lines import cells, plain
from pvenix_tui.remembered.fleet import FleetMemory
from pvenix_tui.remembered.memory import Memory
from tests.tui.fake_backend import HOSTS, NOW
from tests.tui.fake_inventory import STAMP, FakeFleet, fake_host, fake_status

STATES = (Sync.IN_SYNC, Sync.IN_SYNC, Sync.BEHIND, Sync.DRIFTED, Sync.ABSENT, Sync.UNREACHABLE)
CICD, DNS, CACHE, VLLM, LITELLM, DOCKER = (host.name for host in HOSTS)


def a_fleet(*, read: bool = True) -> FleetModel:
    fleet = FakeFleet(hosts={host.name: host for host in HOSTS})
    model = FleetModel()
    model.now = lambda: NOW
    model.load(fleet.hosts.values(), fleet.groups, fleet.select)
    for index, host in enumerate(HOSTS if read else ()):
        model.read(fake_status(host.name, index, STATES[index]))
    model.settle()
    return model


def ended(run: str, status: str, summary: str = "") -> LastRun:
    return LastRun(run=run, title=f"rebuild in {run}", status=status, at=STAMP, summary=summary)


def test_a_reading_changes_what_a_row_says_and_where_it_stands_only_when_the_rows_settle() -> None:
    model = a_fleet()
    model.set_order(Order(by=Sorting.STATE))
    before = model.visible
    assert before[0] == DOCKER
    model.read(replace(fake_status(DOCKER, 5, Sync.IN_SYNC), seen_at="2026-11-20T10:19:59.000Z"))
    assert model.visible == before
    assert model.unsettled
    model.settle()
    assert model.visible[-1] == DOCKER
    assert not model.unsettled


def test_a_host_that_comes_to_match_the_filter_stands_at_the_end_until_the_rows_settle() -> None:
    model = a_fleet()
    model.set_filter("state:drifted")
    model.read(replace(fake_status(CICD, 0, Sync.DRIFTED), seen_at="2026-11-20T10:19:59.000Z"))
    assert model.visible == (VLLM, CICD)
    model.settle()
    assert model.visible == (CICD, VLLM)


def test_a_reading_of_an_earlier_session_never_replaces_one_of_this_session() -> None:
    model = a_fleet(read=False)
    model.read(fake_status(CICD, 0, Sync.IN_SYNC))
    later = [replace(fake_status(name, 1, Sync.DRIFTED), seen_at="2027-01-01T00:00:00.000Z") for name in (CICD, DNS)]
    model.recall(later)
    assert model.statuses[CICD].sync is Sync.IN_SYNC
    assert model.statuses[DNS].sync is Sync.DRIFTED
    model.read(fake_status(DNS, 1, Sync.IN_SYNC))
    assert model.states[Sync.DRIFTED] == 0


@pytest.mark.parametrize(
    ("by", "first", "last"),
    [
        (Sorting.INVENTORY, CICD, DOCKER),
        (Sorting.NAME, DNS, VLLM),
        (Sorting.STATE, DOCKER, DNS),
        (Sorting.NODE, CICD, LITELLM),
        (Sorting.GENERATION, CICD, DOCKER),
        (Sorting.LAST_RUN, CACHE, DOCKER),
    ],
)
def test_each_order_puts_first_what_it_says_and_turns_round_when_chosen_again(
    by: Sorting, first: str, last: str
) -> None:
    model = a_fleet()
    model.last_runs = {CACHE: ended("2", "failed"), DNS: ended("1", "changed")}
    order = Order(by=by)
    model.set_order(order)
    assert (model.visible[0], model.visible[-1]) == (first, last)
    turned = order.picked(by)
    assert turned.backwards
    assert Order.read(str(turned)) == turned
    model.set_order(turned)
    assert model.visible != tuple(model.hosts) or by is not Sorting.INVENTORY


def test_numbers_in_names_sort_as_numbers() -> None:
    fleet = FakeFleet(hosts={name: fake_host(name, "g") for name in ("web10", "web2", "db1", "web2a", "7up")})
    model = FleetModel()
    model.load(fleet.hosts.values(), fleet.groups, fleet.select)
    model.set_order(Order(by=Sorting.NAME))
    assert model.visible == ("7up", "db1", "web2", "web2a", "web10")


def test_a_range_goes_over_what_shows_and_ends_as_marks() -> None:
    model = a_fleet()
    model.set_filter("tappaas-")
    first, second = CICD, VLLM
    model.begin_range(first)
    assert model.targets(second) == (CICD, VLLM) == tuple(n for n in model.visible if model.in_range(n, second))
    model.mark_range(second)
    assert model.marks == {CICD, VLLM}
    assert not model.ranging
    model.set_filter("dns")
    assert model.hidden_marks == 2
    assert "2 marked, 2 hidden" in plain(summary(model, 120))


def test_filter_order_and_marks_come_back_for_hosts_that_still_exist() -> None:
    memory = Memory()
    model = a_fleet()
    model.set_filter("role:base")
    model.set_order(Order(by=Sorting.NAME, backwards=True))
    model.marks = {DNS, VLLM}
    FleetMemory(memory).keep(model)
    fleet = FakeFleet(hosts={host.name: host for host in HOSTS if host.name != DNS})
    later = FleetModel()
    later.load(fleet.hosts.values(), fleet.groups, fleet.select)
    FleetMemory(memory).restore(later)
    assert (later.filter, str(later.order), later.marks) == ("role:base", "-name", {VLLM})
    assert later.visible[0] == VLLM


def test_marks_of_a_host_that_left_the_inventory_go_with_it_and_so_does_its_count() -> None:
    model = a_fleet()
    model.marks = {VLLM, DNS}
    fleet = FakeFleet(hosts={host.name: host for host in HOSTS if host.name != VLLM})
    model.load(fleet.hosts.values(), fleet.groups, fleet.select)
    assert model.marks == {DNS}
    assert model.states[Sync.DRIFTED] == 0
    assert model.trouble["ai"] == 0


def test_a_fresh_reading_shows_no_age_an_older_one_does_and_a_stale_one_is_questioned() -> None:
    model = a_fleet()
    at = {seconds: [text for text, _ in host_cells(model, DNS, "", NOW + seconds)] for seconds in (0, 30, 100)}
    assert at[0][8] == ""
    assert at[30][8] == "42s"
    assert at[100][1] == "+ in sync?"


def test_a_host_that_does_not_answer_shows_its_last_reading_with_its_age() -> None:
    model = a_fleet()
    last = replace(fake_status(DOCKER, 5, Sync.IN_SYNC), seen_at="2026-11-20T07:19:59.000Z")
    silent = HostStatus(
        host=DOCKER, sync=Sync.UNREACHABLE, seen_at="2026-11-20T10:19:59.000Z", problem="no answer", last=last
    )
    model.read(silent)
    shown = [text for text, _ in host_cells(model, DOCKER, "", NOW)]
    assert shown[1] == "o unreachable"
    assert (shown[6], shown[8]) == ("45", "3h")
    text = "\n".join(plain(line) for line in preview(model, DOCKER, NOW, 6, 80))
    assert "read 3h ago, tried 1s ago" in text
    assert "when it was read it was in sync, generation 45" in text


def test_a_host_that_never_answered_has_no_age_of_a_reading() -> None:
    model = a_fleet()
    model.read(HostStatus(host=DOCKER, sync=Sync.UNREACHABLE, seen_at="2026-11-20T10:19:00.000Z", problem="no answer"))
    assert host_cells(model, DOCKER, "", NOW)[8][0] == "-"
    assert "never read, tried 1m ago" in plain(preview(model, DOCKER, NOW, 3, 80)[0])


def test_what_drifted_shows_whole_in_a_line_of_its_own_where_the_first_one_has_no_room() -> None:
    model = a_fleet()
    drift = "edited in /etc/nixos: hosts/tappaas-docker/configuration.nix"
    model.read(replace(fake_status(DOCKER, 5, Sync.IN_SYNC), sync=Sync.DRIFTED, drift=(drift,), address="10.69.13.105"))
    narrow = [plain(line) for line in preview(model, DOCKER, NOW, 3, 80)]
    assert drift in narrow[1]
    assert "edited" not in narrow[0]
    assert "ago" in narrow[0]
    assert all(len(line) <= 80 for line in narrow)
    assert drift in plain(preview(model, DOCKER, NOW, 3, 160)[0])


@pytest.mark.parametrize("height", [3, 6])
def test_what_is_wrong_never_goes_beyond_the_width_of_the_preview(height: int) -> None:
    model = a_fleet()
    drift = tuple(f"edited in /etc/nixos: hosts/tappaas-docker/part{number}.nix" for number in range(5))
    model.read(replace(fake_status(DOCKER, 5, Sync.DRIFTED), drift=drift))
    lines = preview(model, DOCKER, NOW, height, 80)
    assert len(lines) == height
    assert max(cells(line) for line in lines[1:]) <= 80


def test_the_preview_names_what_is_wrong_the_last_run_and_the_next_key_in_three_lines() -> None:
    model = a_fleet()
    model.last_runs = {VLLM: ended("7", "failed", "vllm.service did not start")}
    lines = [plain(line) for line in preview(model, VLLM, NOW, 3, 80)]
    assert len(lines) == 3
    assert "~ drifted" in lines[0]
    assert "failed: vllm.service" in lines[1]
    assert "l  opens its failed run" in lines[2]
    assert "d  shows the drift" in lines[2]
    tall = "\n".join(plain(line) for line in preview(model, VLLM, NOW, 6, 80))
    assert "rebuild in 7" in tall
    assert "vllm.service did not start" in tall


def test_attention_counts_what_waits_and_a_failed_run_only_until_its_host_had_another() -> None:
    model = a_fleet()
    model.last_runs = {CICD: ended("1", "failed"), DNS: ended("1", "ok"), VLLM: ended("3", "waiting")}
    items = {item.key: item for item in attention(model, reviews=2, interrupted=["4", "5"])}
    assert {key: item.count for key, item in items.items()} == {
        "waiting": 1, "failed": 1, "interrupted": 2, "silent": 1, "drift": 1, "reviews": 2
    }  # fmt: skip
    assert (items["waiting"].run, items["failed"].run, items["interrupted"].run) == ("3", "1", "")
    model.last_runs = {CICD: ended("2", "ok")}
    assert "failed" not in plain(attention_line(attention(model, reviews=0)))


def test_enter_on_what_waits_shows_as_many_hosts_as_were_counted() -> None:
    model = a_fleet()
    model.read(replace(fake_status(DNS, 1, Sync.UNREACHABLE), resting=True))
    model.read(fake_status(CICD, 0, Sync.REBOOT))
    found = [item for item in attention(model, reviews=0) if item.filter]
    assert {item.key for item in found} == {"silent", "drift", "reboot"}
    for item in found:
        model.set_filter(item.filter)
        assert len(model.visible) == item.count, item


def test_a_host_that_is_stopped_on_purpose_asks_for_no_attention() -> None:
    model = a_fleet()
    model.read(replace(model.statuses[DOCKER], resting=True, seen_at="2026-11-20T10:19:59.000Z"))
    assert "silent" not in [item.key for item in attention(model, reviews=0)]


def test_the_tree_counts_hosts_and_trouble_and_folds_its_sections() -> None:
    model = a_fleet()
    rows = {row.key: row for row in side_rows(model, {"mine": "role:dns"}, frozenset())}
    assert (rows["role_vllm"].hosts, rows["role_vllm"].trouble) == (1, 1)
    assert (rows["core"].hosts, rows["core"].trouble) == (3, 1)
    assert rows["node tappaas1"].hosts == 3
    assert rows["filter mine"].filter == "role:dns"
    for row in rows.values():
        if row.filter:
            model.set_filter(row.filter)
            assert len(model.visible) == row.hosts, row
    assert "role_vllm" not in {row.key for row in side_rows(model, {}, frozenset({"roles"}))}


@pytest.mark.parametrize("length", [4, 15, 24, 28])
def test_a_name_shows_whole_before_lesser_columns_get_any_room(length: int) -> None:
    fleet = FakeFleet(hosts={name: fake_host(name, "g") for name in ("x" * length, "b")})
    model = FleetModel()
    model.load(fleet.hosts.values(), fleet.groups, fleet.select)
    table = HostTable(model, lambda name: host_cells(model, name, "", NOW))
    for width in (60, 79, 93, 120):
        header = table.layout(width)
        assert header is not None
        assert "x" * length in plain(table.line(0))
        assert cells(header) <= width
        assert "AGE" in plain(header)


def test_the_line_of_counts_never_leaves_its_width_but_always_says_how_many() -> None:
    model = a_fleet()
    model.set_filter("tappaas-")
    model.marks = {DNS}
    for width in (60, 80, 120):
        line = summary(model, width)
        assert plain(line).startswith("Hosts 3/6  1 marked, 1 hidden  filter: tappaas-")
        assert cells(line) <= width
