"""A branch that waits for a person, from the command line: said something of, edited, brought up to date, merged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.story.world import StoryLab

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

BRANCH = "topic/motd"
FILE = "nix/hosts/dns01.nix"


@pytest.fixture(scope="module")
def proposed(lab: StoryLab) -> str:
    """The commit of a topic branch that somebody pushed, one commit behind main."""
    lab.git("switch", "--quiet", "--create", BRANCH)
    path = lab.fleet / FILE
    path.write_text(path.read_text() + "# a note\n")
    lab.git("commit", "--quiet", "--all", "--message", "Note something")
    lab.git("push", "--quiet", "origin", BRANCH)
    tip = lab.git("rev-parse", "HEAD").strip()
    lab.git("switch", "--quiet", "main")
    (lab.fleet / "docs").mkdir(exist_ok=True)
    (lab.fleet / "docs/why.md").write_text("because\n")
    lab.git("add", "docs/why.md")
    lab.git("commit", "--quiet", "--message", "Say why")
    lab.git("push", "--quiet", "origin", "main")
    return tip


def shown(lab: StoryLab) -> dict[str, Any]:
    """The branch as a script reads it."""
    found: dict[str, Any] = lab.ask("review", "show", BRANCH)
    return found


def test_a_branch_that_is_no_registration_waits_like_one(lab: StoryLab, proposed: str) -> None:
    [review] = [each for each in lab.ask("review", "list")["reviews"] if each["branch"] == BRANCH]
    assert (review["kind"], review["name"], review["commit"], review["behind"]) == ("topic", BRANCH, proposed, 1)


def test_a_comment_is_seen_by_whoever_looks_next_and_is_a_note_of_the_repository(lab: StoryLab, proposed: str) -> None:
    lab.ends(0, "review", "comment", BRANCH, proposed, "is that so?", "--file", FILE, "--line", "1")
    [thread] = shown(lab)["threads"]
    assert (thread["file"], thread["line"], thread["messages"][0]["by"]) == (FILE, 1, "story")
    assert "is that so?" in lab.site.git("notes", "--ref=review-comments", "show", proposed)
    lab.ends(2, "review", "comment", BRANCH, proposed, "where?", "--file", "nix/flake.nix")
    lab.ends(0, "review", "comment", BRANCH, proposed, "--resolve", thread["id"])


def test_an_edit_is_a_commit_of_the_person_and_ends_the_older_approval(lab: StoryLab, proposed: str) -> None:
    lab.ends(0, "review", "approve", BRANCH, proposed)
    lab.env["EDITOR"] = "sed -i s/note/remark/"
    lab.ends(0, "review", "edit", BRANCH, FILE, "--yes")
    now = shown(lab)
    assert (now["state"], now["author"]) == ("open", "story")
    assert "# a remark" in lab.site.git("show", f"{BRANCH}:{FILE}")
    assert lab.site.git("merge-base", proposed, BRANCH).strip() == proposed


def test_a_branch_that_was_brought_up_to_date_is_merged_by_its_name(lab: StoryLab, proposed: str) -> None:
    lab.ends(0, "review", "update", BRANCH)
    now = shown(lab)
    assert (now["behind"], now["mergeable"]) == (0, True)
    lab.ends(0, "review", "approve", BRANCH, now["commit"], "--merge")
    assert lab.site.main == now["commit"]
    assert "# a remark" in lab.site.git("show", f"main:{FILE}")
    assert not [each for each in lab.ask("review", "list")["reviews"] if each["branch"] == BRANCH]
    assert Path(lab.fleet / "docs/why.md").exists()
