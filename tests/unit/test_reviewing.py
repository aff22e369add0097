"""What several people do to a branch under review: over real git, each with a mirror of their own."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pvenix.adapters.git.repo import GitRepo
from pvenix.lifecycle import amending, review, threads
from pvenix.lifecycle.history import concerned, page
from pvenix.lifecycle.threads import Does
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure, UsageError
from pvenix.model.names import CommitId
from pvenix.model.review import Kind, Review
from tests.contract.repo_worlds import seed_bare
from tests.unit.lifecycle_support import fleet, host

NIX, HW = "nix/hosts/web1.nix", "nix/hardware/web1-hw.nix"
SITE = "templates:\n  nixos:\n    vmid: 8100\n"
TEXT = "{\n  a = 1;\n  b = 2;\n}\n"
ANA, BO = "Ana <ana@x.org>", "Bo <bo@x.org>"


@dataclass
class Desk:
    """Ana and Bo at one fleet; the branch of web1 is at `tip`."""

    ana: World
    bo: World
    main: CommitId
    tip: CommitId

    async def read(self) -> Review:
        return await review.read(self.bo, "web1")


def _world(bare: Path, cache: Path, author: str) -> World:
    repo = GitRepo(url=str(bare), branch="main", cache_dir=cache, author=author)
    ticks = iter(range(10_000))
    clock = SimpleNamespace(utc=lambda: f"2026-11-20T10:00:{next(ticks):04}Z", monotonic=lambda: 0.0)
    others: dict[str, Any] = dict.fromkeys(("pve", "guest", "trust"), SimpleNamespace(config=None))
    hosts = SimpleNamespace(
        hosts=fleet(host("web1"), host("dns01")).hosts,
        select=lambda _: ("web1", "dns01"),
        site=SimpleNamespace(repository=None),
    )
    return World(fleet=cast("Any", hosts), repo=repo, clock=cast("Any", clock), **others)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    bare = tmp_path / "fleet.git"
    seed_bare(bare, {"inventory/site.yaml": SITE, "nix/common.nix": TEXT, "nix/hosts/dns01.nix": TEXT})
    ana, bo = (_world(bare, tmp_path / name, author) for name, author in (("ana", ANA), ("bo", BO)))
    main = await ana.repo.fetch()
    files = {NIX: TEXT, HW: "{ }\n"}
    tip = await ana.repo.commit("registration/web1", main, files, message="Register web1")
    yield Desk(ana=ana, bo=bo, main=main, tip=tip)
    await ana.repo.close()
    await bo.repo.close()


async def test_every_branch_that_is_not_merged_waits_for_a_person_whatever_it_is_for(desk: Desk) -> None:
    repo = desk.ana.repo
    for branch, files in {
        "retire/dns01": {"inventory/host_vars/dns01.yaml": "machine:\n  state: absent\n"},
        "template/nixos": {"inventory/site.yaml": SITE.replace("8100", "8101")},
        "revert/1234567890": {"nix/common.nix": "{ }\n"},
        "flake": {"nix/common.nix": "{ x = 1; }\n"},
    }.items():
        await repo.commit(branch, desk.main, files, message=branch)
    found = {each.name: each for each in await review.open_reviews(desk.bo)}
    assert {name: each.kind for name, each in found.items()} == {
        "web1": Kind.REGISTRATION,
        "retire/dns01": Kind.RETIRE,
        "template/nixos": Kind.TEMPLATE,
        "revert/1234567890": Kind.REVERT,
        "refs/heads/flake": Kind.TOPIC,
    }
    assert found["retire/dns01"].host == "dns01"
    async for each in review.details(desk.bo, tuple(found)):
        assert each.approvable, each.checks
        await review.approve(desk.bo, each.name, each.commit, comment="", by="bo")
        await review.merge(desk.bo, each.name, each.commit) if each.name != "refs/heads/flake" else None
    assert [each.name for each in await review.open_reviews(desk.ana)] == ["refs/heads/flake"]
    assert "8101" in (await repo.read("main", "inventory/site.yaml") or "")


async def test_no_name_of_a_file_passes_for_files_of_another_branch_or_for_lines_of_its_difference(desk: Desk) -> None:
    repo = cast("GitRepo", desk.ana.repo)
    other = await repo.commit("topic/z", desk.main, {"nix/z.nix": "{ }\n"}, message="z")
    trees = [await repo._tree(each) for each in (desk.main, other)]
    evil = f"{trees[0]} {trees[1]}\nevil"
    lines = "nix/a\n@@ -1 +1 @@\n+all is well"
    await repo.commit("topic/a", desk.main, {evil: "1\n", lines: "2\n"}, message="a")
    await desk.bo.repo.fetch()
    paths = {branch.name: set(branch.paths) for branch in await desk.bo.repo.branches("topic/")}
    assert paths == {"topic/a": {evil, lines}, "topic/z": {"nix/z.nix"}}
    tip = await _tip(desk, "topic/a")
    assert set((await desk.bo.repo.touched([tip]))[tip]) == {evil, lines}
    found = await review.read(desk.bo, "topic/a")
    assert [file.unified.count("\n") for file in found.files] == [4, 4]
    assert not found.approvable


async def _tip(desk: Desk, branch: str) -> CommitId:
    tip = await desk.bo.repo.tip(branch)
    assert tip is not None
    return tip


async def test_a_branch_with_a_name_that_pvenix_gives_none_keeps_no_other_from_being_read(
    desk: Desk, tmp_path: Path
) -> None:
    tip = await desk.ana.repo.commit("topic/x", desk.main, {"nix/common.nix": "{ }\n"}, message="x")
    odds = ("topic/\u202eodd", "topic/caf\u00e9", "registration/caf\u00e9", "registration/a/b", "caf\u00e9")
    for odd in odds:
        git = ["git", "-C", str(tmp_path / "fleet.git"), "update-ref", f"refs/heads/{odd}", tip]
        subprocess.run(git, check=True)  # noqa: ASYNC221 - a name that our own port refuses
    names = [each.name for each in await review.open_reviews(desk.bo)]
    assert {each.name async for each in review.details(desk.bo, names)} == set(names)
    assert {*odds[:-1], f"refs/heads/{odds[-1]}", "topic/x", "web1"} == set(names)


async def test_a_branch_with_a_name_that_pvenix_gives_none_is_opened_and_says_what_to_do_about_it(
    desk: Desk, tmp_path: Path
) -> None:
    tip = await desk.ana.repo.commit("topic/x", desk.main, {"nix/common.nix": "{ }\n"}, message="x")
    git = ["git", "-C", str(tmp_path / "fleet.git"), "update-ref", "refs/heads/registration/caf\u00e9", tip]
    subprocess.run(git, check=True)  # noqa: ASYNC221 - a name that our own port refuses
    [listed] = [each for each in await review.open_reviews(desk.bo) if "caf" in each.branch]
    found = await review.read(desk.bo, listed.name)
    assert [file.path for file in found.files] == ["nix/common.nix"]
    check = found.checks[0]
    assert (check.name, check.verdict) == ("a name for a branch", "fail")
    assert f"git push origin {tip}:refs/heads/topic/NAME" in check.detail
    with pytest.raises(RemoteFailure, match="cannot be approved"):
        await review.approve(desk.bo, listed.name, tip, comment="", by="bo")
    rejected = await review.reject(desk.bo, listed.name, tip, comment="its name", by="bo")
    assert (await review.read(desk.ana, rejected.name)).state == "rejected"
    assert (await review.read(desk.ana, "topic/x")).checks[0].name != check.name
    with pytest.raises(UsageError, match="there is no branch topic/"):
        await review.read(desk.bo, "topic/\u202enone")


@pytest.mark.parametrize(
    ("branch", "files", "fails"),
    [
        ("retire/dns01", {"nix/common.nix": "{ }\n"}, "only the host's own variables"),
        ("template/nixos", {"nix/common.nix": "{ }\n"}, "only the site"),
        ("topic/x", {"inventory/group_vars/all.yaml": "a: [\n"}, "YAML syntax"),
    ],
)
async def test_a_branch_that_does_more_than_its_name_says_fails_a_check(
    desk: Desk, branch: str, files: dict[str, str], fails: str
) -> None:
    tip = await desk.ana.repo.commit(branch, desk.main, files, message="x")
    found = await review.read(desk.bo, branch)
    assert [check.name for check in found.checks if check.verdict == "fail"] == [fails]
    with pytest.raises(RemoteFailure, match="cannot be approved"):
        await review.approve(desk.bo, branch, tip, comment="", by="bo")


async def test_two_people_who_comment_at_once_lose_nothing_and_see_each_other(desk: Desk) -> None:
    mine, theirs = await review.read(desk.ana, "web1"), await review.read(desk.bo, "web1")
    asked = await threads.comment(desk.ana, mine, text="why 2?", by="ana", file=NIX, line=3)
    await threads.comment(desk.bo, theirs, text="fine\notherwise", by="bo")
    seen = await review.read(desk.bo, "web1")
    await threads.go_on(desk.bo, seen, asked.id, Does.REPLY, by="bo", text="because")
    whole, line = (await review.read(desk.ana, "web1")).threads
    assert (whole.file, whole.messages[0].text, whole.place) == ("", "fine\notherwise", "the whole branch")
    assert (line.place, line.quote) == (f"{NIX}:3", "  b = 2;")
    assert [(said.by, said.text) for said in line.messages] == [("ana", "why 2?"), ("bo", "because")]


async def test_a_comment_stays_with_its_line_when_the_branch_moves_and_is_settled_once(desk: Desk) -> None:
    asked = await threads.comment(desk.ana, await desk.read(), text="why?", by="ana", file=NIX, line=3)
    gone = await threads.comment(desk.ana, await desk.read(), text="this?", by="ana", file=NIX, line=2)
    text = "# one\n# two\n" + TEXT.replace("  a = 1;\n", "")
    await amending.edit(desk.bo, "web1", desk.tip, NIX, text, message="", author=BO)
    found = {each.id: each for each in (await desk.read()).threads}
    assert (found[asked.id].line, found[gone.id].line) == (4, 0)
    for _ in range(2):
        await threads.go_on(desk.bo, await desk.read(), asked.id, Does.RESOLVE, by="bo")
    after = await desk.read()
    assert [each.id for each in after.unresolved] == [gone.id]
    await threads.go_on(desk.ana, after, asked.id, Does.REOPEN, by="ana")
    assert len((await desk.read()).unresolved) == 2


async def test_a_comment_names_a_place_that_the_branch_has(desk: Desk) -> None:
    found = await desk.read()
    for file, line in (("nix/common.nix", 0), (NIX, 99)):
        with pytest.raises(UsageError):
            await threads.comment(desk.ana, found, text="x", by="ana", file=file, line=line)
    with pytest.raises(UsageError, match="empty"):
        await threads.comment(desk.ana, found, text=" \n", by="ana")
    with pytest.raises(UsageError, match="no comment"):
        await threads.go_on(desk.ana, found, "1234", Does.RESOLVE, by="ana")
    assert not (await desk.read()).threads


async def test_a_note_that_is_not_ours_says_nothing(desk: Desk) -> None:
    for text in (
        "approved",
        "{",
        '{"does": "comment"}',
        '{"does": "resolve", "thread": "x", "branch": "b", "line": []}',
        "[]",
        "[" * 100_000,
        '{"does": "comment", "thread": "x", "branch": "registration/web1", "by": "a", "at": "b", "line": 1e999}',
        '{"does": "comment", "thread": "x", "branch": "registration/web1", "by": "a", "at": "b", "text": 5}',
    ):
        await desk.ana.repo.add_note(threads.NOTES, desk.tip, text)
    assert (await desk.read()).threads == ()


async def test_what_was_said_of_a_merged_branch_is_not_said_of_the_next_one_of_that_name(desk: Desk) -> None:
    found = await desk.read()
    await threads.comment(desk.ana, found, text="x", by="ana")
    await review.approve(desk.ana, "web1", desk.tip, comment="", by="ana", acknowledged=("comment by ana",))
    main = await review.merge(desk.ana, "web1", desk.tip)
    assert await review.merge(desk.bo, "web1", desk.tip) == main, "what was merged by a killed process is done"
    await desk.ana.repo.commit("registration/web1", desk.tip, {NIX: "{ }\n"}, message="again")
    again = await desk.read()
    assert (again.threads, again.state) == ((), "open")
    notes = await desk.ana.repo.notes(review.NOTES)
    assert "acknowledged comment by ana" in notes[desk.tip]
    assert main


async def test_an_edit_is_a_commit_of_the_person_and_the_older_approval_does_not_cover_it(desk: Desk) -> None:
    await review.approve(desk.ana, "web1", desk.tip, comment="", by="ana")
    text = await amending.text_of(desk.bo, "web1", desk.tip[:8], NIX)
    shown = await amending.edited(desk.bo, "web1", desk.tip, NIX, text.replace("2", "3"))
    assert "-  b = 2;\n+  b = 3;" in shown.unified
    assert await desk.bo.repo.tip("registration/web1") == desk.tip
    new = await amending.edit(desk.bo, "web1", desk.tip, NIX, text.replace("2", "3"), message="Three", author=BO)
    found = await review.read(desk.ana, "web1")
    assert (found.commit, found.author, found.subject, found.state) == (new, "Bo", "Three", "open")
    with pytest.raises(RemoteFailure):
        await review.merge(desk.ana, "web1", desk.tip)


async def test_an_edit_never_goes_over_somebody_elses_newer_commit(desk: Desk) -> None:
    newer = await amending.edit(desk.ana, "web1", desk.tip, NIX, "{ }\n", message="", author=ANA)
    with pytest.raises(RemoteFailure, match="a new commit arrived"):
        await amending.edit(desk.bo, "web1", desk.tip, NIX, "{ x = 1; }\n", message="", author=BO)
    assert (await desk.read()).commit == newer


async def test_what_changed_since_a_commit_that_was_seen_is_told_file_by_file(desk: Desk) -> None:
    await desk.ana.repo.commit("main", desk.main, {"nix/common.nix": "{ other = 1; }\n"}, message="elsewhere")
    await amending.edit(desk.ana, "web1", desk.tip, NIX, TEXT.replace("1", "7"), message="", author=ANA)
    fresh = await amending.freshen(desk.ana, "web1", (await desk.read()).commit, author=ANA)
    [diff] = await amending.since(desk.bo, "web1", desk.tip)
    assert diff.path == NIX
    assert "-  a = 1;\n+  a = 7;" in diff.unified
    assert await amending.since(desk.bo, "web1", fresh) == ()


async def test_a_branch_behind_main_takes_main_in_and_keeps_its_commits(desk: Desk) -> None:
    await desk.ana.repo.commit("main", desk.main, {"nix/common.nix": "{ }\n"}, message="on")
    found = await desk.read()
    assert (found.behind, found.mergeable, found.approvable) == (1, True, True)
    fresh = await amending.freshen(desk.bo, "web1", desk.tip, author=BO)
    after = await desk.read()
    assert (after.commit, after.behind, {file.path for file in after.files}) == (fresh, 0, {NIX, HW})
    assert await desk.bo.repo.contains(fresh, desk.tip)


async def test_a_conflict_is_told_with_both_sides_and_ends_when_a_person_resolves_it(desk: Desk) -> None:
    ours = await desk.ana.repo.commit(
        "main", desk.main, {NIX: TEXT.replace("1", "8")}, message="Eight", author="Cy <cy@x.org>"
    )
    found = await desk.read()
    assert not found.mergeable
    assert not found.approvable
    [conflict] = await amending.conflicts(desk.bo, "web1")
    assert (conflict.path, conflict.why) == (NIX, "both added it, not with the same content")
    assert (conflict.main.author, conflict.main.commit, conflict.main.subject) == ("Cy", ours, "Eight")
    assert (conflict.branch.author, conflict.branch.commit) == ("Ana", desk.tip)
    assert "<<<<<<< registration/web1\n" in conflict.marked
    assert ">>>>>>> main\n" in conflict.marked
    with pytest.raises(UsageError, match="markers"):
        await amending.resolve(desk.bo, "web1", desk.tip, {NIX: conflict.marked}, author=BO)
    with pytest.raises(RemoteFailure, match="does not merge"):
        await amending.freshen(desk.bo, "web1", desk.tip, author=BO)
    await amending.resolve(desk.bo, "web1", desk.tip, {NIX: TEXT.replace("1", "9")}, author=BO)
    after = await desk.read()
    assert (after.mergeable, after.author) == (True, "Bo")
    assert await amending.conflicts(desk.bo, "web1") == ()


async def test_a_file_that_main_deleted_and_the_branch_changed_is_kept_or_deleted_as_the_person_says(
    desk: Desk,
) -> None:
    tip = await desk.ana.repo.commit("topic/x", desk.main, {"nix/common.nix": "{ mine = 1; }\n"}, message="Mine")
    await desk.ana.repo.commit("main", desk.main, {"nix/common.nix": None}, message="Gone")
    [conflict] = await amending.conflicts(desk.bo, "topic/x")
    assert (conflict.why, conflict.marked) == ("main deleted it, and the branch changed it", "{ mine = 1; }\n")
    assert conflict.main.subject == "Gone"
    new = await amending.resolve(desk.bo, "topic/x", tip, {"nix/common.nix": None}, author=BO)
    assert await desk.bo.repo.read(new, "nix/common.nix") is None
    assert (await review.read(desk.bo, "topic/x")).mergeable


async def test_a_commit_tells_its_files_and_whom_it_concerns(desk: Desk) -> None:
    one = await desk.ana.repo.commit("main", desk.main, {"nix/hosts/dns01.nix": "{ }\n"}, message="dns")
    every = await desk.ana.repo.commit("main", one, {"nix/common.nix": "{ }\n"}, message="all")
    aside = await desk.ana.repo.commit("main", every, {"docs/x.md": "x\n"}, message="docs")
    await desk.bo.repo.fetch()
    assert await concerned(desk.bo, [one, every, aside]) == {one: ("dns01",), every: ("web1", "dns01"), aside: ()}
    shown = await page(desk.bo, one)
    assert (shown.commit.subject, [file.path for file in shown.files], shown.hosts) == (
        "dns", ["nix/hosts/dns01.nix"], ("dns01",),
    )  # fmt: skip


def test_a_rejected_or_conflicting_review_is_not_approvable() -> None:
    found = Review(
        host="a", branch="registration/a", commit="c", base="b", author="x", at="", subject="", files=(), checks=(),
        state="open",
    )  # fmt: skip
    assert found.approvable
    assert not replace(found, mergeable=False).approvable
    assert not replace(found, state="rejected").approvable
