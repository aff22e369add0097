"""What was edited in a host's /etc/nixos: read file by file, taken into a branch, overwritten with the edits kept, or ignored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pvenix.lifecycle import build
from pvenix.lifecycle.adoptedits import branch_of
from pvenix.lifecycle.edits import read_edits
from pvenix.lifecycle.hostdrift import host_drift, overwritten
from pvenix.lifecycle.review import read
from pvenix.lifecycle.state import looking_at
from pvenix.model.drift import Edit, HostDrift
from pvenix.model.errors import ExitCode
from pvenix.model.host import Drift
from pvenix.model.outcome import Status
from pvenix.model.paths import host_file
from pvenix.model.review import Verdict
from tests.sim.golden import Golden
from tests.story.fault_scene import Scene, scene
from tests.story.plan_scene import world_of
from tests.story.world import StoryLab

HOST = "docker01"
OWN = host_file(HOST)
GIT = ("sudo", "-n", "git", "-C", "/etc/nixos")


def edit(scene: Scene, path: str, text: str) -> None:
    """Somebody appends to a file on the host."""
    tree = scene.guest(HOST).tree
    full = f"/etc/nixos/{path}"
    tree.put(full, (tree.read(full) if tree.exists(full) else b"") + text.encode())


async def seen(scene: Scene) -> HostDrift:
    """The host's edits as a new process reads them."""
    world = world_of(scene)
    return await read_edits(world, await world.remote(looking_at(HOST)))


def text_at(scene: Scene, ref: str, path: str) -> str:
    found = scene.sim.read(scene.sim.remote.refs[ref], path)
    return "" if found is None else found.decode()


def test_every_edited_file_is_read_with_its_difference_and_nothing_is_changed_by_that(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edit(scene, OWN, "# by hand\n")
        edit(scene, "nix/notes.nix", "{ }\n")
        scene.guest(HOST).tree.remove("/etc/nixos/nix/common.nix")
        before = scene.writes
        found = await seen(scene)
        assert {file.path: file.edit for file in found.files} == {
            OWN: Edit.CHANGED, "nix/notes.nix": Edit.ADDED, "nix/common.nix": Edit.DELETED,
        }  # fmt: skip
        [own] = [file for file in found.files if file.path == OWN]
        assert (own.added, own.removed, own.shared) == (1, 0, False)
        assert "+# by hand\n" in own.unified
        assert [file.path for file in found.files if file.shared] == ["nix/common.nix", "nix/notes.nix"]
        assert scene.writes == before
        assert any("nix/common.nix (deleted" in line for line in overwritten(found))

    scene(golden, act)


def test_adopted_edits_are_on_a_branch_with_the_very_texts_and_the_host_stays_as_it_is(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edit(scene, OWN, "# by hand\n")
        main = scene.sim.main()
        done = await scene.run("adopt-edits", hosts=(HOST,))
        assert done.code is ExitCode.OK, done.why
        ref = f"refs/heads/{branch_of(HOST)}"
        assert text_at(scene, ref, OWN).endswith("# by hand\n")
        assert scene.sim.main() == main
        assert [file.path for file in (await seen(scene)).files] == [OWN]
        again = await scene.run("adopt-edits", hosts=(HOST,))
        assert again.last.status == Status.OK
        assert again.sent("push origin") == 0

    scene(golden, act)


def test_edits_after_a_merge_start_from_main_and_those_before_a_review_go_on_top(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        ref = f"refs/heads/{branch_of(HOST)}"
        edit(scene, OWN, "# one\n")
        assert (await scene.run("adopt-edits", hosts=(HOST,))).code is ExitCode.OK
        edit(scene, "nix/notes.nix", "{ }\n")
        assert (await scene.run("adopt-edits", hosts=(HOST,))).code is ExitCode.OK
        assert text_at(scene, ref, "nix/notes.nix") == "{ }\n"

        scene.sim.remote.refs["refs/heads/main"] = scene.sim.remote.refs[ref]
        scene.sim.change_main("README.md", "anything\n")
        assert all(file.merged for file in (await seen(scene)).files)
        assert (await scene.run("rebuild", hosts=(HOST,))).code is ExitCode.OK
        assert (await seen(scene)).files == ()
        edit(scene, OWN, "# two\n")
        done = await scene.run("adopt-edits", hosts=(HOST,))
        assert done.code is ExitCode.OK, done.why
        assert text_at(scene, ref, OWN).endswith("# one\n# two\n")
        assert text_at(scene, ref, "README.md") == "anything\n"

    scene(golden, act)


def test_a_file_that_main_changed_meanwhile_is_left_and_named_and_the_rest_is_taken(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edit(scene, OWN, "# here\n")
        edit(scene, "nix/notes.nix", "{ }\n")
        text = (scene.sim.read(scene.sim.main(), OWN) or b"").decode()
        scene.sim.change_main(OWN, f"# there\n{text}")
        done = await scene.run("adopt-edits", hosts=(HOST,))
        assert done.code is ExitCode.OK, done.why
        ref = f"refs/heads/{branch_of(HOST)}"
        assert text_at(scene, ref, OWN).startswith("# there\n")
        assert "# here" not in text_at(scene, ref, OWN)
        assert text_at(scene, ref, "nix/notes.nix") == "{ }\n"
        assert f"{OWN}: changed since" in done.why

    scene(golden, act)


def test_edits_of_another_hosts_files_stay_on_the_host_and_the_branch_of_the_rest_can_be_approved(
    golden: Golden,
) -> None:
    async def act(scene: Scene) -> None:
        other = host_file("dns01")
        edit(scene, OWN, "# by hand\n")
        edit(scene, other, "# not mine\n")
        edit(scene, "nix/common.nix", "# for all\n")
        done = await scene.run("adopt-edits", hosts=(HOST,))
        assert done.code is ExitCode.OK, done.why
        assert f"{other}: it is dns01's own" in done.why
        found = await read(world_of(scene), branch_of(HOST))
        assert {file.path for file in found.files} == {OWN, "nix/common.nix"}
        assert (found.host, found.approvable) == (HOST, True)
        [look] = [check for check in found.checks if check.verdict is Verdict.WARN]
        assert (look.name, "nix/common.nix" in look.detail) == ("only the host's own files", True)

    scene(golden, act)


def test_when_nothing_can_be_taken_the_run_fails_with_every_reason_and_pushes_nothing(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edit(scene, OWN, "\x00")
        refs = dict(scene.sim.remote.refs)
        done = await scene.run("adopt-edits", hosts=(HOST,))
        assert done.code is ExitCode.FAILED
        assert done.last.hint == f"pvenix drift show {HOST}"
        assert f"{OWN}: not text" in done.text
        assert scene.sim.remote.refs == refs

    scene(golden, act)


def test_what_the_inventory_ignores_is_no_drift_and_a_rebuild_leaves_it_where_it_is(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edit(scene, "nix/local/notes", "mine\n")
        edit(scene, OWN, "# by hand\n")
        scene.sim.change_host(HOST, drift=Drift(ignore=("nix/local",)))
        found = await host_drift(world_of(scene), HOST, hardware=False)
        assert [file.path for file in found.counted] == [OWN]
        scene.sim.change_main("README.md", "anything\n")
        world = world_of(scene)
        shown = await build.commands(world, replace(looking_at(HOST), run="r1"))
        assert "stash push --include-untracked -m pvenix-r1 -- . ':(exclude)nix/local'" in shown[0][1]
        assert (await scene.run("rebuild", hosts=(HOST,))).code is ExitCode.OK
        tree = scene.guest(HOST).tree
        assert tree.read("/etc/nixos/nix/local/notes") == b"mine\n"
        assert b"by hand" not in tree.read(f"/etc/nixos/{OWN}")
        assert (await scene.run("rebuild", hosts=(HOST,))).last.status == Status.OK

    scene(golden, act)


@pytest.mark.parametrize("main_brings_it", [False, True])
def test_an_ignored_edit_of_a_file_that_main_changes_is_told_before_anything_is_built(
    golden: Golden, main_brings_it: bool
) -> None:
    async def act(scene: Scene) -> None:
        path = "nix/local.nix" if main_brings_it else "nix/common.nix"
        edit(scene, path, "# mine\n")
        scene.sim.change_host(HOST, drift=Drift(ignore=("nix/*o*",)))
        scene.sim.change_main("README.md", "anything\n")
        assert (await scene.run("rebuild", hosts=(HOST,))).code is ExitCode.OK
        scene.sim.change_main(path, (scene.sim.read(scene.sim.main(), path) or b"{ }\n").decode() + "# theirs\n")
        before = scene.guest(HOST).tree.read(f"/etc/nixos/{path}")
        done = await scene.run("rebuild", hosts=(HOST,))
        assert done.code is ExitCode.FAILED
        assert done.last.summary.startswith(f"main changes what was edited on {HOST} and is ignored there: {path}")
        assert "drift.ignore: nix/*o*" in done.last.summary
        assert f"pvenix drift adopt {HOST}" in done.last.hint
        assert done.sent("nix build") == done.sent("git -C /etc/nixos checkout") == 0
        assert scene.guest(HOST).tree.read(f"/etc/nixos/{path}") == before

        scene.sim.change_host(HOST, drift=Drift())
        assert (await scene.run("rebuild", hosts=(HOST,))).code is ExitCode.OK

    scene(golden, act)


@pytest.mark.timeout(120)
@pytest.mark.story
def test_the_ways_out_of_an_edit_at_a_shell(lab: StoryLab) -> None:
    host, own = "dns01", host_file("dns01")
    lab.ssh(
        host, "sudo", "-n", "dd", f"of=/etc/nixos/{own}", "oflag=append", "conv=notrunc", "status=none", text="# me\n"
    )
    lab.ssh(host, "sudo", "-n", "touch", "/etc/nixos/notes")
    shown = lab.ask("drift", "show", host, "--hardware")
    assert {file["path"]: file["added"] for file in shown["files"]} == {own: 1, "notes": 0}
    assert (shown["hardware"]["diff"], shown["other"]) == ("", [])

    lab.ok("drift", "adopt", host)
    lab.git("fetch", "--quiet")
    assert lab.git("show", f"origin/edits/{host}:{own}").endswith("# me")
    assert lab.git("diff", "--name-only", "origin/main", f"origin/edits/{host}").split() == [own, "notes"]

    lab.ok("drift", "ignore", host, "notes")
    assert "ignore+: [notes]" in (lab.fleet / f"inventory/host_vars/{host}.yaml").read_text()
    lab.ends(2, "drift", "ignore", host, "/etc/passwd")
    refused = lab.pvenix("drift", "overwrite", host, "--no-input")
    assert refused.code == 2
    assert "goes into a git stash" in refused.text
    assert lab.ssh(host, *GIT, "stash", "list") == ""

    lab.ok("drift", "overwrite", host, "--yes")
    assert lab.ssh(host, *GIT, "status", "--porcelain") == "?? notes"
    assert "+# me" in lab.ssh(host, *GIT, "stash", "show", "-p")
    assert "no host has edits" in lab.pvenix("drift", "overwrite", host, "--yes").text


@pytest.mark.timeout(120)
@pytest.mark.story
def test_a_commit_that_a_host_alone_has_is_shown_and_a_rebuild_keeps_it_as_a_branch(lab: StoryLab) -> None:
    host, own = "docker01", host_file("docker01")
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    lab.ssh(
        host, "sudo", "-n", "dd", f"of=/etc/nixos/{own}", "oflag=append", "conv=notrunc", "status=none", text="# me\n"
    )
    lab.ssh(host, "sudo", "-n", "git", "-C", "/etc/nixos", *who, "commit", "-q", "-a", "-m", "mine")
    mine = lab.ssh(host, *GIT, "rev-parse", "HEAD")
    shown = lab.ask("drift", "show", host)
    assert [file["path"] for file in shown["files"]] == [own]
    assert (shown["checkout"], shown["base"]) == (mine, lab.git("rev-parse", "origin/main"))
    assert f"/etc/nixos is at {mine[:10]}" in shown["other"][0]
    assert f" {mine}\n" in lab.ends(3, "drift", "overwrite", host, "-C").out.partition("branch -f pvenix-")[2]
    lab.ok("drift", "overwrite", host, "--yes")
    assert mine in lab.ssh(host, *GIT, "branch", "--list", "--verbose", "--no-abbrev", "pvenix-*")
    assert lab.ssh(host, *GIT, "rev-parse", "HEAD") == lab.git("rev-parse", "origin/main")


@pytest.mark.timeout(120)
@pytest.mark.story
def test_an_ignored_edit_is_told_before_a_build_also_on_a_host_with_a_commit_of_its_own(lab: StoryLab) -> None:
    host, path = "docker01", "nix/common.nix"
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    append = ("sudo", "-n", "dd", "oflag=append", "conv=notrunc", "status=none")
    lab.ssh(host, *append, f"of=/etc/nixos/{host_file(host)}", text="# me\n")
    lab.ssh(host, "sudo", "-n", "git", "-C", "/etc/nixos", *who, "commit", "-q", "-a", "-m", "mine")
    lab.ssh(host, *append, f"of=/etc/nixos/{path}", text="# by hand\n")
    lab.ok("drift", "ignore", host, path)
    lab.commit(path, "\n", "\n# theirs\n")
    refused = lab.pvenix("rebuild", host, "--yes")
    assert refused.code == 1
    assert f"main changes what was edited on {host} and is ignored there: {path}" in refused.text
    assert "checkout" not in refused.text
    assert lab.ssh(host, *GIT, "status", "--porcelain") == f"M {path}"
