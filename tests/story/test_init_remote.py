"""A new fleet gets its repository: made on the CI/CD host, with the history of /etc/nixos, pushed to, and no twice."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.story.world import WRITES, Done, StoryLab, writes

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

HOST = "tappaas-cicd"
BARE = "srv/git/second.git"
OLD = "hand-made.nix"


@pytest.fixture(scope="module")
def fleet(lab: StoryLab) -> Path:
    """A starter fleet that knows the site and names a second repository there, with a key of its own."""
    root = lab.folder / "second"
    done = lab.pvenix("init", str(root), cwd=lab.folder)
    assert done.code == 0, done.text
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(lab.folder / "second-key")], check=True)
    site = (lab.fleet / "inventory/site.yaml").read_text()
    head, repository, tail = site.partition("\nrepository:")
    tail = tail.replace("/srv/git/tappaas-nixos-config.git", f"/{BARE}", 1)
    tail = tail.replace(lab.data["git"]["key"], str(lab.folder / "second-key"), 1)
    (root / "inventory/site.yaml").write_text(head + repository + tail)
    return root


@pytest.fixture(scope="module")
def old(lab: StoryLab, fleet: Path) -> list[str]:
    """The commits of the host's /etc/nixos, the newest made by hand, and what a failed first try left: nothing."""
    nixos = lab.tree(HOST) / "etc/nixos"
    (nixos / OLD).write_text("{ }\n")
    refused = lab.pvenix("init", str(fleet), "--remote")
    assert refused.code == 1, refused.text
    assert f"?? {OLD}" in refused.text
    assert not (lab.tree(HOST) / BARE).exists()
    assert not (fleet / ".git").exists()
    lab.tool("git", "-C", str(nixos), "add", "--all")
    who = ("-c", "user.name=by hand", "-c", "user.email=root@localhost")
    lab.tool("git", "-C", str(nixos), *who, "commit", "--quiet", "--message", "By hand on the host")
    return lab.tool("git", "-C", str(nixos), "log", "--format=%H").split()


@pytest.fixture(scope="module")
def founded(lab: StoryLab, fleet: Path, old: list[str]) -> str:
    """The commit of main that the first init reports."""
    assert old
    done = lab.ends(0, "init", str(fleet), "--remote")
    assert f"git init --quiet --bare --initial-branch=main /{BARE}" in done.err
    return lab.tool("git", "-C", str(fleet), "rev-parse", "HEAD")


def bare(lab: StoryLab, *words: str) -> str:
    """Plain git in the new repository on the host's disk."""
    return lab.tool("git", "-C", str(lab.tree(HOST) / BARE), *words)


def push(lab: StoryLab, key: Path, source: Path, refspec: str) -> Done:
    """A push with plain git and OpenSSH, under `key`."""
    jump = lab.data["ssh"]["jump"]
    known = lab.folder / "known-second"
    known.write_text(f"[{jump['host']}]:{jump['port']} {jump['host_key']}\n")
    ssh = f"ssh -F none -i {key} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes"
    env = {"GIT_SSH_COMMAND": f"{ssh} -o UserKnownHostsFile={known}"}
    url = lab.data["git"]["url"].replace("/srv/git/tappaas-nixos-config.git", f"/{BARE}")
    return lab.tried("git", "-C", str(source), "push", "--quiet", url, refspec, env=env)


def test_main_has_the_old_commits_and_then_ours(lab: StoryLab, founded: str, old: list[str]) -> None:
    assert bare(lab, "log", "--format=%H", "main").split() == [founded, *old]
    assert bare(lab, "log", "-1", "--format=%s|%an", "main") == "Add the pvenix fleet|story"
    assert bare(lab, "log", "-1", "--format=%s", "main~1") == "By hand on the host"


def test_the_directory_is_a_clone_with_its_own_files_and_those_of_the_host(
    lab: StoryLab, fleet: Path, founded: str
) -> None:
    git = ("git", "-C", str(fleet))
    assert lab.tool(*git, "rev-parse", "origin/main", "main").split() == [founded, founded]
    assert lab.tool(*git, "status", "--porcelain") == ""
    assert (fleet / OLD).read_text() == "{ }\n"
    assert BARE in (fleet / "inventory/site.yaml").read_text()
    assert bare(lab, "show", "main:inventory/site.yaml") == (fleet / "inventory/site.yaml").read_text().strip()
    listed = lab.ask("status", "--fleet", str(fleet))["status"]
    assert {host["expected"] for host in listed} == {founded}


def test_the_second_time_changes_nothing_and_says_so(lab: StoryLab, fleet: Path, founded: str) -> None:
    refs = bare(lab, "show-ref")
    done, counters = lab.counted("init", str(fleet), "--remote")
    assert done.code == 0, done.text
    assert f"nothing to do: main is at {founded[:10]}" in done.err
    assert set(WRITES) <= counters.keys()
    assert writes(counters) == {}
    assert bare(lab, "show-ref") == refs
    assert lab.tool("git", "-C", str(fleet), "rev-parse", "HEAD") == founded


def test_the_operator_moves_main_forward_only(lab: StoryLab, fleet: Path, founded: str) -> None:
    key = lab.folder / "second-key"
    refused = push(lab, key, fleet, f"+{founded}~1:refs/heads/main")
    assert refused.code != 0
    assert "would lose commits" in refused.text
    who = ("-c", "user.name=story", "-c", "user.email=story@localhost")
    lab.tool("git", "-C", str(fleet), *who, "commit", "--quiet", "--allow-empty", "--message", "Go on")
    pushed = push(lab, key, fleet, "HEAD:refs/heads/main")
    assert pushed.code == 0, pushed.text
    assert bare(lab, "log", "-1", "--format=%s", "main") == "Go on"


@pytest.mark.usefixtures("founded")
def test_a_guests_key_opens_nothing_there_and_with_a_line_of_its_own_only_its_branch(
    lab: StoryLab, fleet: Path
) -> None:
    guest = lab.tree("dns01") / "var/lib/fleet/id_ed25519"
    before = bare(lab, "show-ref")
    stranger = push(lab, guest, fleet, "HEAD:refs/heads/registration/dns01")
    assert stranger.code != 0
    assert "refused: this key is for /srv/git/tappaas-nixos-config.git only" in stranger.text

    mine = lab.folder / "guest-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(mine)], check=True)
    blob = " ".join(mine.with_suffix(".pub").read_text().split()[:2])
    with (lab.tree(HOST) / "srv/git/.ssh/authorized_keys").open("a") as keys:
        serve = "/run/current-system/sw/bin/fleet-git-serve"
        keys.write(f'restrict,command="{serve} guest:dns01 /{BARE}" {blob} dns01\n')
    who = ("-c", "user.name=dns01", "-c", "user.email=root@dns01")
    newer = lab.tool("git", "-C", str(fleet), *who, "commit-tree", "-p", "main", "-m", "Not mine to say", "main^{tree}")
    for ref in ("main", "registration/docker01", "topic"):
        refused = push(lab, mine, fleet, f"{newer}:refs/heads/{ref}")
        assert refused.code != 0
        assert "fleet: refused: dns01 may push registration/dns01 only" in refused.text
    assert bare(lab, "show-ref") == before
    assert push(lab, mine, fleet, f"{newer}:refs/heads/registration/dns01").code == 0


def test_a_fleet_that_has_its_repository_is_left_alone(lab: StoryLab) -> None:
    before = lab.site.git("show-ref")
    done, counters = lab.counted("init", str(lab.fleet), "--remote")
    assert done.code == 0, done.text
    assert "nothing to do: main is at" in done.err
    assert writes(counters) == {}
    assert lab.site.git("show-ref") == before


def test_a_fleet_whose_host_key_is_not_known_is_told_how_to_compare_it(lab: StoryLab) -> None:
    root = lab.folder / "third"
    done = lab.pvenix("init", str(root), "--remote", cwd=lab.folder)
    assert done.code == 8, done.text
    assert "ssh-keyscan -t ed25519 tappaas-cicd.mgmt.internal" in done.err
    assert (root / "inventory/site.yaml").exists()
    assert not (root / ".git").exists()
