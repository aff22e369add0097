"""Who may change what: approval is of one commit, a guest's key opens its own branch and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.story.world import Done, StoryLab

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

NEW = "tappaas-litellm"
BRANCH = f"registration/{NEW}"
ONBOARD = ("run", "playbooks/onboard.yaml", "-l", NEW)


@pytest.fixture(scope="module")
def proposed(lab: StoryLab) -> str:
    """The commit on the registration branch of a host that was cloned and booted."""
    lab.ends(3, *ONBOARD)
    [review] = lab.ask("review", "list")["reviews"]
    assert review["host"] == NEW
    return str(review["commit"])


def pushed_by(lab: StoryLab, host: str, refspec: str) -> Done:
    """A push with the Git key of a guest, as the guest itself would do it."""
    key = lab.site.tree(host) / "var/lib/fleet/id_ed25519"
    jump = lab.data["ssh"]["jump"]
    ssh = f"ssh -F none -i {key} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes"
    known = lab.folder / "known-jump"
    known.write_text(f"[{jump['host']}]:{jump['port']} {jump['host_key']}\n")
    env = {"GIT_SSH_COMMAND": f"{ssh} -o UserKnownHostsFile={known}"}
    return lab.tried("git", "push", lab.data["git"]["url"], refspec, env=env)


def branch_with_a_file(lab: StoryLab, base: str, path: str) -> str:
    """A commit on top of `base` that adds one file."""
    work = lab.folder / f"work-{path.replace('/', '-')}"
    lab.git("worktree", "add", "--quiet", "--detach", str(work), base)
    file = work / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{ }\n")
    lab.git("-C", str(work), "add", "--all")
    lab.git("-C", str(work), "commit", "--quiet", "--message", f"Add {path}")
    return lab.git("-C", str(work), "rev-parse", "HEAD")


def main_of(lab: StoryLab) -> str:
    """The tip of main in the bare repository."""
    return lab.site.main


def test_the_branch_holds_the_hosts_files_and_the_key_of_the_very_guest(lab: StoryLab, proposed: str) -> None:
    site = lab.site
    assert site.git("rev-parse", BRANCH).strip() == proposed
    pin = site.git("show", f"{BRANCH}:inventory/trust/{NEW}").split()
    real = (site.tree(NEW) / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
    assert pin[:2] == real[:2]
    printed = lab.ssh(NEW, "sudo", "-n", "nixos-generate-config", "--show-hardware-config")
    assert site.git("show", f"{BRANCH}:nix/hardware/{NEW}-hw.nix").strip() == printed


def test_the_playbook_stops_at_the_review_and_shows_what_to_do(lab: StoryLab, proposed: str) -> None:
    before = main_of(lab)
    done = lab.ends(3, *ONBOARD)
    assert f"pvenix review approve {NEW} {proposed[:10]}" in done.text
    assert main_of(lab) == before


def test_a_guest_may_push_its_own_branch_only(lab: StoryLab, proposed: str) -> None:
    lab.git("fetch", "--quiet", "origin")
    mine = branch_with_a_file(lab, proposed, "nix/files/note")
    before = lab.site.git("show-ref")
    for refspec in (f"{mine}:refs/heads/main", f"{mine}:refs/heads/registration/dns01", f"{mine}:refs/heads/topic"):
        refused = pushed_by(lab, NEW, refspec)
        assert refused.code != 0
        assert "refused" in refused.text
    refused = pushed_by(lab, NEW, f":refs/heads/{BRANCH}")
    assert refused.code != 0
    assert lab.site.git("show-ref") == before


def test_an_approval_does_not_hold_for_a_later_commit(lab: StoryLab, proposed: str) -> None:
    lab.ok("review", "approve", NEW, proposed, "-m", "looked at")
    later = branch_with_a_file(lab, proposed, "nix/modules/role-base2.nix")
    pushed = pushed_by(lab, NEW, f"{later}:refs/heads/{BRANCH}")
    assert pushed.code == 0, pushed.text

    before = main_of(lab)
    done = lab.ends(3, *ONBOARD)
    assert later[:10] in done.text
    assert lab.pvenix("review", "merge", NEW, proposed).code != 0
    assert lab.pvenix("review", "merge", NEW, later).code != 0
    refused = lab.ends(2, "review", "approve", NEW, later)
    assert "nix/modules/role-base2.nix" in refused.text
    assert main_of(lab) == before


def test_a_rejected_commit_is_not_merged_and_says_why(lab: StoryLab, proposed: str) -> None:
    tip = lab.site.git("rev-parse", BRANCH).strip()
    assert tip != proposed
    lab.ok("review", "reject", NEW, "-m", "who wrote that")
    before = main_of(lab)
    done = lab.ends(1, *ONBOARD)
    assert "who wrote that" in done.text
    assert main_of(lab) == before


def test_the_approved_commit_is_merged_as_it_is_and_the_host_runs_it(lab: StoryLab, proposed: str) -> None:
    lab.git("push", "--quiet", "--force", "origin", f"{proposed}:refs/heads/{BRANCH}")
    lab.ok(*ONBOARD)
    site = lab.site
    assert proposed in site.git("rev-list", "main").split()
    assert site.revision(NEW, site.follow(NEW, "/run/current-system")) == site.main
    assert Path(site.tree(NEW) / "etc/nixos/.git/HEAD").read_text().strip() == site.main
