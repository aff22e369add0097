"""The fleet's repository on a real host: founded there, pushed to with the rights that its hook gives to each key."""

from __future__ import annotations

import asyncio
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from pvenix.lifecycle import argv, build, register
from pvenix.lifecycle.founding import SERVE, Founding, found
from pvenix.model.errors import Refused, RemoteFailure
from pvenix.model.outcome import Need, Status
from tests.contract.ssh_server import key_pair, public_line
from tests.real import fleet
from tests.real.lane import BARE, CICD, HOST, VMIDS, Image, Lane
from tests.real.machine import Machine
from tests.real.reason import why_not

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(why_not()), reason=why_not())]
FILES = fleet.REPOSITORY / "nix/files"
HOOK = (FILES / "fleet-update-hook").read_text()


@dataclass
class Founded:
    """A site whose repository was founded from the /etc/nixos of the CI/CD host."""

    lane: Lane
    checkout: Path
    """A clone by somebody who does not use pvenix."""
    guest_key: Path
    """dns01's own Git key."""
    tip: str

    def tips(self) -> dict[str, str]:
        """Branches of the repository, read at its console."""
        listing = self.lane.cicd.console(
            "git", f"--git-dir={BARE}", "for-each-ref", "--format=%(refname) %(objectname)"
        )
        return dict(line.split() for line in listing.stdout.splitlines())

    def change(self, name: str) -> None:
        """One more commit in the clone."""
        (self.checkout / name).write_text(f"{name}\n")
        fleet.commit(self.checkout, name)


def wanted(lane: Lane) -> Founding:
    key = lane.image.operator.with_suffix(".pub").read_text()
    serve = (FILES / "fleet-git-serve").read_text()
    return Founding(path=BARE, branch="main", hook=HOOK, serve=serve, operator_key=key)


async def found_it(lane: Lane) -> str:
    """The tip of the repository that is there now."""
    remote, _ = await lane.remote(CICD)
    return (await found(remote, wanted(lane))).tip


@pytest.fixture(scope="module")
def founded_root(image: Image) -> tuple[Path, str]:
    """A CI/CD host that is off, with the repository founded on it, and the repository's tip."""

    async def make() -> str:
        lane.start(CICD)
        tip = await found_it(lane)
        await lane.guest.close()
        lane.cicd.stop()
        return tip

    (image.folder / "founded").mkdir()
    lane = Lane(image=image, folder=image.folder / "founded")
    return image.folder / "founded" / CICD, asyncio.run(make())


@pytest.fixture
async def founded(lane: Lane, founded_root: tuple[Path, str]) -> Founded:
    root, tip = founded_root
    lane.start(CICD, root=root)
    lane.start(HOST)
    key = lane.folder / "guest-key"
    lane.host.file("/var/lib/fleet/id_ed25519.pub").write_text(f"{public_line(key_pair(key))} root@dns01\n")
    checkout = lane.folder / "clone"
    fleet.git(lane.folder, "clone", "--quiet", str(lane.image.checkout), str(checkout))
    return Founded(lane=lane, checkout=checkout, guest_key=key, tip=tip)


async def test_the_history_of_etc_nixos_becomes_the_repository_and_founding_again_changes_nothing(cicd: Lane) -> None:
    digests = ("sh", "-c", "cd /srv/git && find . -type f -exec stat -c '%n %U %a %Y' {} + -exec sha256sum {} + | sort")
    assert await found_it(cicd) == cicd.image.commit
    before = cicd.cicd.console(*digests).stdout
    assert cicd.cicd.file(f"{BARE}/hooks/update").read_text() == HOOK
    remote, record = await cicd.remote(CICD)
    again = await found(remote, wanted(cicd))
    assert (again.tip, again.changed, record.sent) == (cicd.image.commit, False, [])
    assert cicd.cicd.console(*digests).stdout == before


async def test_a_host_without_the_forced_command_gets_it_and_serves_with_it(cicd: Lane) -> None:
    cicd.cicd.console("rm", "/run/current-system")
    await found_it(cicd)
    assert 'command="/srv/git/fleet-git-serve operator"' in cicd.cicd.file("/srv/git/.ssh/authorized_keys").read_text()
    repo = cicd.world.repo
    commit = await repo.commit("main", await repo.fetch(), {"x": "y\n"}, message="x")
    assert cicd.cicd.console("git", f"--git-dir={BARE}", "rev-parse", "main").stdout.strip() == commit


async def test_plain_files_in_etc_nixos_become_the_first_commit(cicd: Lane) -> None:
    cicd.cicd.console("rm", "-r", "/etc/nixos/.git")
    tip = await found_it(cicd)
    assert tip
    files = cicd.cicd.console("git", f"--git-dir={BARE}", "ls-tree", "-r", "--name-only", "main").stdout.split()
    assert "nix/flake.nix" in files
    assert await cicd.world.repo.fetch() == tip


async def test_edits_that_are_in_no_commit_stop_the_founding(cicd: Lane) -> None:
    cicd.cicd.file("/etc/nixos/edit").write_text("x")
    with pytest.raises(RemoteFailure, match="edits that are in no commit"):
        await found_it(cicd)
    assert cicd.cicd.file("/etc/nixos/edit").exists()


async def test_a_host_is_registered_by_the_operator_and_its_own_key_authorised(founded: Founded) -> None:
    lane = founded.lane
    step, record = lane.step("register")
    assert (await register.probe(lane.world, step)).need is Need.NEEDED
    outcome = await register.apply(lane.world, step)
    assert outcome.status is Status.CHANGED
    tip = founded.tips()["refs/heads/registration/dns01"]
    assert outcome.facts["registered"] == tip
    changed = lane.cicd.console("git", f"--git-dir={BARE}", "diff", "--name-only", "main", tip).stdout.split()
    assert changed == [f"inventory/host_vars/{HOST}.yaml", f"inventory/trust/{HOST}"]
    variables = lane.cicd.console("git", f"--git-dir={BARE}", "show", f"{tip}:inventory/host_vars/{HOST}.yaml").stdout
    assert f"vmid: {VMIDS[HOST]}" in variables
    lines = lane.cicd.file("/srv/git/.ssh/authorized_keys").read_text().splitlines()
    own = " ".join(lane.host.file("/var/lib/fleet/id_ed25519.pub").read_text().split()[:2])
    assert lines[-1] == f'restrict,command="{SERVE} guest:{HOST}" {own} {HOST}'
    later, _ = lane.step("register")
    assert (await register.probe(lane.world, later)).need is Need.DONE
    assert record.sent


async def test_a_new_host_file_written_from_its_roles_builds_on_the_guest_after_the_merge(founded: Founded) -> None:
    lane = founded.lane
    files = {"nix/hosts/dns01.nix": None, "nix/hardware/dns01-hw.nix": None, "nix/hosts/other.nix": "{ }\n"}
    await lane.change(files, "Forget dns01")
    step, _ = lane.step("register")
    commit = (await register.apply(lane.world, step)).facts["registered"]
    merged = await lane.world.repo.merge(commit, into="main", message="Merge")  # type: ignore[arg-type]
    lane.world._fetched = False
    building, _ = lane.step("build")
    outcome = await build.apply(lane.world, building)
    assert outcome.facts["built"] == merged
    assert merged in lane.host.console(f"{outcome.facts['new']}/sw/bin/nixos-version", "--json").stdout


REFUSED = {
    "HEAD:refs/heads/main": "dns01 may push registration/dns01 only, not main",
    "HEAD:refs/heads/registration/web01": "dns01 may push registration/dns01 only, not registration/web01",
    "HEAD:refs/heads/topic": "dns01 may push registration/dns01 only, not topic",
    "HEAD:refs/tags/v1": "dns01 may push registration/dns01 only, not refs/tags/v1",
    ":refs/heads/registration/dns01": "dns01 may not delete registration/dns01",
    "+HEAD~1:refs/heads/registration/dns01": "would lose commits",
}


async def test_a_guest_key_is_refused_everything_but_its_own_branch_forward(founded: Founded) -> None:
    lane = founded.lane
    step, _ = lane.step("register")
    await register.apply(lane.world, step)
    lane.cicd.console("git", f"--git-dir={BARE}", "update-ref", "-d", "refs/heads/registration/dns01")
    founded.change("more")
    assert lane.push(founded.checkout, "HEAD:refs/heads/registration/dns01", founded.guest_key).returncode == 0
    before = founded.tips()
    for refspec, said in REFUSED.items():
        answer = lane.push(founded.checkout, refspec, founded.guest_key)
        assert answer.returncode == 1, refspec
        assert re.search(f"remote: fleet: refused: .*{re.escape(said)}", answer.stderr), refspec
        assert founded.tips() == before, refspec
    founded.change("even more")
    assert lane.push(founded.checkout, "HEAD:refs/heads/registration/dns01", founded.guest_key).returncode == 0


async def test_the_operator_may_do_everything_but_rewrite_or_delete_main(founded: Founded) -> None:
    lane, key = founded.lane, founded.lane.image.operator
    founded.change("more")
    assert lane.push(founded.checkout, "HEAD:refs/heads/main", key).returncode == 0
    assert lane.push(founded.checkout, "HEAD:refs/heads/topic", key).returncode == 0
    assert lane.push(founded.checkout, "+HEAD~1:refs/heads/topic", key).returncode == 0
    tips = founded.tips()
    rewritten = lane.push(founded.checkout, "+HEAD~1:refs/heads/main", key)
    assert (rewritten.returncode, "would lose commits" in rewritten.stderr) == (1, True)
    deleted = lane.push(founded.checkout, ":refs/heads/main", key)
    assert (deleted.returncode, "deletion of the current branch prohibited" in deleted.stdout) == (1, True)
    assert founded.tips() == tips


async def test_a_refusal_of_the_hook_reaches_pvenix_in_its_own_words(founded: Founded) -> None:
    lane = founded.lane
    lines = lane.cicd.file("/srv/git/.ssh/authorized_keys")
    lines.write_text(lines.read_text().replace(f"{SERVE} operator", f"{SERVE} guest:{HOST}"))
    repo = lane.world.repo
    with pytest.raises(Refused) as refusal:
        await repo.commit("main", await repo.fetch(), {"x": "y\n"}, message="x")
    assert refusal.value.why.endswith("fleet: refused: dns01 may push registration/dns01 only, not main")
    assert founded.tips()["refs/heads/main"] == founded.tip


def say(lane: Lane, machine: Machine, key: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*lane.plain_ssh(machine, key=key).split(), f"git@{machine.address}", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)


async def test_a_git_key_is_good_for_nothing_but_git_on_the_one_repository(founded: Founded) -> None:
    lane, key = founded.lane, founded.lane.image.operator
    for words, said in (
        ((), "this key is for git, not for a shell"),
        (("id",), f"this key is for {BARE} only"),
        (("git-upload-pack", "'/etc/nixos'"), f"this key is for {BARE} only"),
        (("git-upload-pack", f"'{BARE}';id"), f"this key is for {BARE} only"),
    ):
        answer = say(lane, lane.cicd, key, *words)
        assert (answer.returncode, answer.stdout) == (1, "")
        assert f"fleet: refused: {said}" in answer.stderr
    stranger = lane.folder / "stranger"
    key_pair(stranger)
    assert "Permission denied" in say(lane, lane.cicd, stranger).stderr


async def test_a_review_note_and_a_merge_reach_the_real_repository(founded: Founded) -> None:
    lane = founded.lane
    repo = lane.world.repo
    main = await repo.fetch()
    commit = await repo.commit("registration/dns01", main, {"nix/note": "1\n"}, message="x")
    await repo.add_note("reviews", commit, "approved")
    assert await repo.merge(commit, into="main", message="Merge") == commit
    await repo.push_ref("refs/heads/registration/dns01", None, expect=commit)
    tips = founded.tips()
    assert tips["refs/heads/main"] == commit
    assert "refs/heads/registration/dns01" not in tips
    note = lane.cicd.console("git", f"--git-dir={BARE}", "notes", "--ref=reviews", "show", commit).stdout
    assert "approved" in note
    assert argv.GIT_KEY == "/var/lib/fleet/id_ed25519.pub"
