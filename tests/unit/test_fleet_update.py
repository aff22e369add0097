"""What the inventory says of approvals and windows, and where it says it wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.fleet.load import load_fleet
from pvenix.model.errors import InvalidInput
from pvenix.model.update import Approve
from tests.unit.fleet_files import SITE, write


def host(update: str) -> dict[str, str]:
    return {"hosts.yaml": f"all:\n  hosts:\n    a1:\n      machine: {{update: {update}}}\n"}


def problem(root: Path, files: dict[str, str]) -> str:
    with pytest.raises(InvalidInput) as caught:
        load_fleet(write(root, files))
    [finding] = caught.value.findings
    return str(finding)


def test_one_window_or_several_are_read(tmp_path: Path) -> None:
    one = load_fleet(write(tmp_path / "one", host('{window: "Sat 02:00-05:00", approve: always}')))
    assert [each.text for each in one.hosts["a1"].machine.update.window] == ["Sat 02:00-05:00"]
    assert one.hosts["a1"].machine.update.approve is Approve.ALWAYS
    two = load_fleet(write(tmp_path / "two", host('{window: ["Sat 02:00-05:00", "Sun 03:00-04:00 UTC"]}')))
    assert [each.zone for each in two.hosts["a1"].machine.update.window] == ["", "UTC"]
    assert two.hosts["a1"].machine.update.approve is Approve.RISKY


def test_a_wrong_window_is_found_where_it_is_written_with_examples(tmp_path: Path) -> None:
    said = problem(tmp_path, host('{window: ["Sat 02:00-05:00", "Sonntag 02:00-05:00"]}'))
    assert "inventory/hosts.yaml:4:54" in said
    assert "'Sonntag' is not a day" in said
    assert "`Mon..Fri 22:00-04:00`" in said


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("name: test,", "name: test, timezone: Europe/Amsterdm,", "'Europe/Amsterdm' is no time zone"),
        ("ml: {", "ml: {approve: [unbound], ", "'unbound' is not to be asked about; write reboot, always, or a unit"),
    ],
)
def test_the_site_s_zone_and_a_role_s_marks_are_checked(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert says in problem(tmp_path, {"site.yaml": SITE.replace(old, new)})


def test_a_role_marks_what_a_person_is_asked_about(tmp_path: Path) -> None:
    text = SITE.replace("ml: {", "ml: {approve: [unbound.service, reboot], ")
    fleet = load_fleet(write(tmp_path, {"site.yaml": text}))
    assert fleet.site.roles["ml"].approve == ("unbound.service", "reboot")
    assert fleet.site.roles["web"].approve == ()
