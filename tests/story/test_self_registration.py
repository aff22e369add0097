"""A clone registers itself at first boot; pvenix finds its branch, adds what only it knows, and onboards the host from there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.story.world import StoryLab, processes_with_home, until

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

NEW = "tappaas-litellm"
BRANCH = f"registration/{NEW}"
ROOT = Path(__file__).resolve().parents[2]
AUTHORIZED = "/srv/git/.ssh/authorized_keys"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoryLab]:
    """A lab of a fleet that names its repository's host key, so that its template registers clones."""
    folder = tmp_path_factory.mktemp("self").resolve()
    for name in ("inventory", "nix", "playbooks"):
        shutil.copytree(ROOT / name, folder / "source" / name)
    facts = folder / "source/nix/site.nix"
    facts.write_text(facts.read_text().replace("hostKey = null;", 'hostKey = "the lab writes its own";'))
    story = StoryLab(folder, "--from", str(folder / "source"), "--speed", "30")
    yield story
    assert story.pvenix("lab", "down", str(story.lab), cwd=story.folder).code == 0
    assert not processes_with_home(story.folder / "home")


def branches(lab: StoryLab) -> list[str]:
    """The registration branches of the remote."""
    lines = lab.git("ls-remote", "--heads", "origin", "registration/*").splitlines()
    return [line.split("refs/heads/")[1] for line in lines]


def journal(lab: StoryLab) -> str:
    """What the guest's first boot says."""
    return lab.ssh(NEW, "journalctl", "-u", "fleet-first-boot", "-o", "cat", "--no-pager")


def test_a_clone_is_refused_until_its_key_is_let_in_and_then_pushes_its_own_branch(lab: StoryLab) -> None:
    lab.ok("run", "playbooks/onboard.yaml", "-l", NEW, "--tags", "provision")
    until(lambda: "Permission denied (publickey)" in journal(lab))
    assert branches(lab) == []
    key = " ".join(lab.ssh(NEW, "sudo", "-n", "cat", "/var/lib/fleet/id_ed25519.pub").split()[:2])
    before = lab.ssh("tappaas-cicd", "sudo", "-n", "cat", AUTHORIZED)
    line = f'restrict,command="/run/current-system/sw/bin/fleet-git-serve guest:{NEW}" {key} {NEW}'
    lab.ssh("tappaas-cicd", "sudo", "-n", "dd", f"of={AUTHORIZED}", "status=none", text=f"{before}\n{line}\n")
    until(lambda: branches(lab) == [BRANCH])
    until(lambda: f"pushed {BRANCH}" in journal(lab))
    lab.git("fetch", "--quiet", "origin")
    assert lab.git("show", "-s", "--format=%an <%ae> %s", f"origin/{BRANCH}") == f"{NEW} <root@{NEW}> Register {NEW}"


def test_pvenix_goes_on_from_the_branch_that_is_there(lab: StoryLab) -> None:
    own = lab.git("rev-parse", f"origin/{BRANCH}")
    lab.ok("run", "playbooks/onboard.yaml", "-l", NEW, "--tags", "register")
    assert branches(lab) == [BRANCH]
    lab.git("fetch", "--quiet", "origin")
    lab.git("merge-base", "--is-ancestor", own, f"origin/{BRANCH}")
    hardware = f"nix/hardware/{NEW}-hw.nix"
    assert lab.git("show", f"{own}:{hardware}") == lab.git("show", f"origin/{BRANCH}:{hardware}")
    again, counters = lab.counted("run", "playbooks/onboard.yaml", "-l", NEW, "--tags", "register")
    assert (again.code, counters["receive_packs"]) == (0, 0)


def test_the_host_is_merged_rebuilt_and_does_not_register_again(lab: StoryLab) -> None:
    lab.ok("review", "approve", NEW)
    lab.ok("run", "playbooks/onboard.yaml", "-l", NEW)
    assert lab.ssh(NEW, "hostname") == NEW
    units = lab.ssh(NEW, "systemctl", "list-units", "--all", "--plain", "--no-legend")
    assert "fleet-first-boot" not in units
