"""The tour of the README and the blocks of docs/day-two.md, typed on a lab from top to bottom as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.story.conftest import SPEED
from tests.story.world import PATIENCE_S, Done, StoryLab, processes_with_home, until

pytestmark = [pytest.mark.story, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
CODES = {
    r"(pvenix host edit nix-cache01 .* && )?pvenix plan$|pvenix plan (dns02|dns02 --accept-drift|web03|nix-cache01 .*)$": 3,
    r"pvenix (apply|reprovision|restore|migrate|adopt|retire|run|rollback) .*-C\b.*$": 3,
    r"pvenix run playbooks/onboard.yaml -l dns02$|git fetch && pvenix revert .*-C$": 3,
    r"pvenix reprovision docker01 --confirm docker01$": 3,
    r"pvenix run playbooks/maintenance.yaml -l dns01$|pvenix rebuild dns01$|pvenix approve last -C$": 10,
}
"""The lines that end with another code than 0, as the pages say."""


def lines(page: Path, heading: str = "") -> Iterator[tuple[str, str]]:
    """Every line of the page's blocks, or of those under one heading, with the heading that it is under."""
    under = ""
    for line in page.read_text().splitlines():
        if line.startswith("#"):
            under = line.lstrip("# ")
        elif line.startswith("    ") and heading in ("", under):
            yield under, re.sub(r"\s+#.*", "", line.strip())


def code_of(line: str) -> int:
    """The exit code that the page promises for the line."""
    return next((code for pattern, code in CODES.items() if re.match(pattern, line)), 0)


class Reader:
    """A person who types what a page says, in a shell, with the lab in a directory of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        (programs / "pvenix").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pvenix "$@"\n')
        (programs / "pvenix").chmod(0o755)
        self.path = f"{programs}:{os.environ['PATH']}"
        self.lab: StoryLab | None = None

    def types(self, line: str) -> Done:
        """How a line ended in the fleet's directory; the first one starts the lab."""
        if line.startswith("pvenix lab up"):
            self.lab = StoryLab(self.folder, "--speed", SPEED)
            return Done(code=0, out="", err="")
        assert self.lab is not None
        line = line.replace("/tmp/site", str(self.lab.lab))
        done = self.lab.tried("bash", "-c", line, env={"PATH": self.path})
        assert "Traceback" not in done.text, done.text
        return done

    def reads(self, page: Path, heading: str = "", before: dict[str, Callable[[StoryLab], None]] | None = None) -> None:
        """Type all lines; each must end with the code that the page promises. `before` comes ahead of a heading."""
        ahead = dict(before or {})
        for under, line in lines(page, heading):
            if under in ahead:
                assert self.lab is not None
                ahead.pop(under)(self.lab)
            done = self.types(line)
            assert done.code == code_of(line), f"under {under!r}: {line} ended with {done.code}:\n{done.text}"
        assert not ahead, "the page has no such headings"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody with nothing but the programs and an empty home; their lab is down at the end."""
    person = Reader(tmp_path.resolve())
    yield person
    if person.lab is not None and person.lab.lab.exists():
        subprocess.run(
            [*person.lab.command, "lab", "down", str(person.lab.lab)],
            env=person.lab.env, cwd=person.folder, check=True, capture_output=True, timeout=PATIENCE_S,
        )  # fmt: skip


def test_the_tour_of_the_readme_works_by_copy_and_paste(reader: Reader) -> None:
    tour = [line for _, line in lines(ROOT / "README.md", "A tour on the lab")]
    assert len(tour) == 15
    reader.reads(ROOT / "README.md", "A tour on the lab")
    assert reader.lab is not None
    assert not reader.lab.lab.exists()
    assert processes_with_home(reader.folder / "home") == []


def sent(lab: StoryLab, method: str, path: str, *fields: str) -> None:
    """A write at the Proxmox of the lab by another client."""
    pve = lab.data["pve"]
    header = f"Authorization: PVEAPIToken={pve['token_id']}={pve['token_secret']}"
    words = [word for field in fields for word in ("-d", field)]
    lab.tool(
        "curl", "-fsS", "--cacert", pve["ca"], "-H", header, "-X", method, *words, f"{pve['endpoint']}/api2/json{path}"
    )


def edited_by_hand(lab: StoryLab) -> None:
    """A line that somebody adds to a host's configuration on the host."""
    file = "of=/etc/nixos/nix/hosts/docker01.nix"
    lab.ssh("docker01", "sudo", "-n", "dd", file, "oflag=append", "conv=notrunc", "status=none", text="# by hand\n")


def somebody_elses_hand(lab: StoryLab) -> None:
    """An option of a host's VM that somebody changes at Proxmox."""
    vm = lab.site.vm("dns02")
    sent(lab, "PUT", f"/nodes/{vm['node']}/qemu/{vm['vmid']}/config", "onboot=0")


def somebody_elses_vm(lab: StoryLab) -> None:
    """A VM 431 that nobody here made."""
    sent(
        lab,
        "POST",
        "/nodes/tappaas1/qemu",
        "vmid=431",
        "name=web03",
        "memory=1024",
        "scsi0=tanka1:8",
        "net0=virtio,bridge=lan",
    )
    until(lambda: any(vm["vmid"] == 431 for vm in lab.site.vms))


def test_the_page_of_day_two_works_from_top_to_bottom(reader: Reader) -> None:
    reader.reads(
        ROOT / "docs/day-two.md",
        before={
            "What somebody changed at Proxmox": somebody_elses_hand,
            "What somebody edited on a host": edited_by_hand,
            "A VM that is not ours yet": somebody_elses_vm,
        },
    )
