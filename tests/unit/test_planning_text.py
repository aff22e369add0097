"""The text of a plan: nothing of what matters is left out, nothing is said by colour alone, and 80 columns are enough."""

from __future__ import annotations

from dataclasses import replace

import click
import pytest

from pvenix.cli.render.plan import plan_text
from pvenix.cli.text import cells
from pvenix.model.fleetplan import Action, Effect, FieldState
from tests.unit.planning_support import EVERYTHING, MEMORY, field, finding, host, plan


def shown(one: object, *, width: int = 80, verbose: bool = False) -> str:
    return click.unstyle(plan_text(one, width=width, verbose=verbose))  # type: ignore[arg-type]


def test_every_kind_of_host_has_a_sign_and_a_word() -> None:
    text = shown(EVERYTHING)
    for line in (
        "+ web03  VM 200 on n1  to add",
        "~ dns01  VM 200 on n1, running  to change, with a reboot",
        "- old01  VM 200 on n1, running  to destroy",
        "! web09  refused",
        "? db01  not known",
    ):
        assert line in text.splitlines()
    assert "docker01" not in text
    assert text.splitlines()[-1] == "1 to add, 1 to change, 1 to destroy, 1 refused, 1 not known, 1 as it should be"


def test_a_field_says_from_what_to_what_why_and_where() -> None:
    lines = shown(plan(host())).splitlines()
    at = lines.index("    memory  4096 -> 8192  (change, reboot)")
    assert lines[at + 1] == "            inventory/host_vars/dns01.yaml:3:11"


def test_values_stand_under_each_other_and_a_shared_place_is_told_once() -> None:
    fields = (replace(MEMORY, field="proxmox.disks.scsi1.size"), replace(MEMORY, field="cores"))
    lines = shown(plan(host(fields=fields))).splitlines()
    assert lines[3].index("4096") == lines[4].index("4096") == lines[5].index("inventory")
    assert [line for line in lines if "inventory/" in line] == [lines[5]]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (field("tags"), "(drift: changed at Proxmox)"),
        (
            field("cores", FieldState.CONFLICT, recorded="3"),
            "(conflict: changed on both sides, last applied 3)",
        ),
        (field("cores", FieldState.PENDING), "(written, in effect after the next cold start)"),
        (field("tags", effect=Effect.OFFLINE, note="needs Sys.Modify on /"), "offline, needs Sys.Modify on /"),
        (field("proxmox.disks.scsi1.iothread", desired=""), "2 -> nothing"),
    ],
)
def test_why_a_field_differs_is_said_in_words(one: object, words: str) -> None:
    assert words in " ".join(shown(plan(host(fields=(one,)))).split())


def test_what_nobody_manages_is_shown_only_when_asked_for() -> None:
    one = plan(host(action=Action.NONE, fields=(field("cpu", FieldState.UNMANAGED, actual="host"),)))
    assert "cpu" not in shown(one)
    assert "cpu" in shown(one, verbose=True)


def test_a_host_that_waits_for_a_cold_start_is_shown_and_counted() -> None:
    text = shown(plan(host(action=Action.NONE, fields=(field("cores", FieldState.PENDING),))))
    assert "= dns01  VM 200 on n1, running  waits for a cold start" in text
    assert text.endswith("1 with changes that wait for a cold start")


def test_a_host_that_differs_and_is_let_alone_is_not_called_as_it_should_be() -> None:
    text = shown(plan(host(action=Action.NONE, fields=(MEMORY,)), host("a", Action.NONE), host("b", Action.NONE)))
    assert "= dns01  VM 200 on n1, running  left as it is" in text
    assert text.endswith("1 left as it is, 2 as they should be")


def test_hosts_of_which_the_same_is_to_be_said_share_it() -> None:
    lines = shown(plan(host(), host("dns02", vmid=201), host("dns03", fields=(field("tags"),)))).splitlines()
    at = lines.index("~ dns01  VM 200 on n1, running  to change, with a reboot")
    assert lines[at + 1] == "~ dns02  VM 201 on n1, running  to change, with a reboot"
    assert lines[at + 2] == "    memory  4096 -> 8192  (change, reboot)"
    assert sum("4096" in line for line in lines) == 1
    assert lines.index("~ dns03  VM 200 on n1, running  to change") > at + 2


def test_a_lock_and_the_ha_manager_are_shown() -> None:
    assert "VM 200 on n1, running, locked: backup, HA started" in shown(plan(host(lock="backup", ha="started")))


def test_a_finding_is_shown_at_its_place_with_what_to_do() -> None:
    text = shown(plan(host(action=Action.REFUSE, findings=(finding(),))))
    assert "    inventory/hosts.yaml:31:9: error[PVX0520]\n      no node can take web09\n      hint: widen it" in text


def test_a_stray_is_shown_with_how_to_go_on() -> None:
    text = " ".join(shown(EVERYTHING).split())
    assert "VM 299 on n1, running: marked as gone01, and the inventory has no gone01" in text
    assert "state: absent" in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    long = field("bootstrap.authorized_keys", actual="ssh-ed25519 AAAA " * 40, desired="word " * 60, note="why " * 40)
    one = plan(
        host(fields=(MEMORY, long), steps=("step " * 50,)),
        host("web09", Action.ADD, steps=("step " * 50,), findings=(finding(what="because " * 40),)),
        strays=EVERYTHING.strays,
    )
    assert [line for line in shown(one, width=width).splitlines() if cells(line) > width] == []


def test_foreign_text_moves_no_cursor() -> None:
    text = plan_text(plan(host(fields=(field("notes", actual="a\x1b[2J\x9b1mb\n\x07c"),))), width=80)
    assert not any(mark in click.unstyle(text) for mark in ("\x1b", "\x9b", "\x07"))


def test_without_colour_the_same_is_said() -> None:
    coloured = plan_text(EVERYTHING, width=80)
    assert coloured != click.unstyle(coloured)
