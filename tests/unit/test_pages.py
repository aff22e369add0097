"""What the pages written by hand say of the command line is so: commands and options exist, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from pvenix.fleet.load import load_fleet
from pvenix.fleet.schema import MACHINE
from pvenix.fleet.starter import copy_starter
from tests.command_words import parsed

ROOT = Path(__file__).parents[2]
GENERATED = ("cli", "errors", "faults", "lab", "tui")
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted(page for page in (ROOT / "docs").glob("*.md") if page.stem not in GENERATED),
    *sorted((ROOT / "docs/decisions").glob("*.md")),
]
ARCHITECTURE_LINES = 120
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBub3k0nFgJ4tXy0vb6p8mPzZ3o7n0S8a1c2d3e4f5g6 ops"
PLACEHOLDER = re.compile(r" \[?[A-Z]{2,}\b")
"""A word such as HOST or ID that stands for the reader's own."""
pytestmark = pytest.mark.skipif(not PAGES[0].exists(), reason="the pages are part of the checkout, not of the wheel")


def said(page: Path) -> list[str]:
    """The pvenix commands of the page's blocks, and those in its sentences."""
    text = page.read_text()
    blocks = re.findall(r"^    (?:.*&& )?(pvenix .*)$", text, re.MULTILINE)
    sentences = [" ".join(found.split()) for found in re.findall(r"`(pvenix [a-z][^`]*)`", text)]
    return [part.strip() for line in blocks + sentences for part in line.split(" && ") if part.startswith("pvenix ")]


def parse(line: str) -> None:
    """Read the command as the program would, and do nothing.

    Raises: click.UsageError when there is no such command or option.
    """
    try:
        parsed(line)
    except click.MissingParameter:
        pass  # a sentence names a command without its arguments
    except click.BadParameter:
        if not PLACEHOLDER.search(line):
            raise


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_exists(page: Path) -> None:
    for line in said(page):
        try:
            parse(line)
        except click.UsageError as error:
            pytest.fail(f"{page.name}: {line}: {error.format_message()}")


def test_a_command_that_does_not_exist_is_seen() -> None:
    assert len(said(ROOT / "docs/day-two.md")) > 50
    for wrong in ("pvenix no-such-verb dns01", "pvenix plan --no-such-option", "pvenix review no-such-word"):
        with pytest.raises(click.UsageError):
            parse(wrong)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    for path in re.findall(r"`((?:docs|playbooks|tests|tools|nix)/[\w./-]+\.\w+)`", page.read_text()):
        assert (ROOT / path).exists(), path


def test_the_architecture_fits_on_two_pages() -> None:
    assert len((ROOT / "docs/architecture.md").read_text().splitlines()) <= ARCHITECTURE_LINES


def test_the_inventory_page_names_every_field_of_a_machine() -> None:
    schema = MACHINE.json_schema()
    maps = {"proxmox": "ProxmoxMap", "hardware": "HardwareMap", "network": "NetworkMap", "bootstrap": "BootstrapMap"}
    maps |= {
        "nix": "NixMap",
        "update": "UpdateMap",
        "snapshot": "SnapshotMap",
        "backup": "BackupMap",
        "generations": "GenerationsMap",
        "drift": "DriftMap",
    }
    there = {name for name in schema["properties"] if name not in maps}
    there |= {f"{part}.{name}" for part, kind in maps.items() for name in schema["$defs"][kind]["properties"]}
    section = (ROOT / "docs/inventory.md").read_text().partition("## Every field")[2].partition("## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    rows.append(section.partition("without an effect yet:")[2])
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(named) == sorted(there)


@pytest.mark.parametrize("number", range(3))
def test_the_examples_of_the_inventory_page_are_taken_as_they_stand(number: int, tmp_path: Path) -> None:
    text = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/inventory.md").read_text(), re.DOTALL)[number]
    root = tmp_path / "fleet"
    copy_starter(root)
    place = root / "inventory" / ("claims/dns.yaml" if "kind: Machine" in text else "host_vars/docker01.yaml")
    place.parent.mkdir(exist_ok=True)
    place.write_text(text.replace("ssh-ed25519 AAAA… ops", KEY).replace("dns01", "dns09").replace("13.5", "13.9"))
    assert load_fleet(root).hosts
