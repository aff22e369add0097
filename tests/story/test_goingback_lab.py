"""Through the command line and real sockets: a run taken back and that again, a commit reverted, and a pin that others see."""

from __future__ import annotations

import pytest

from tests.story.world import StoryLab

pytestmark = [pytest.mark.story, pytest.mark.slow, pytest.mark.timeout(400)]

HOSTS = ("dns01", "docker01")


def running(lab: StoryLab) -> dict[str, str]:
    """What each host runs, which must be what it boots."""
    found = {host: lab.site.follow(host, "/run/current-system") for host in HOSTS}
    assert {host: lab.site.boot_default(host)[1] for host in HOSTS} == found
    return found


def test_a_run_is_taken_back_and_the_way_back_too_and_a_commit_is_reverted(lab: StoryLab) -> None:
    old = running(lab)
    commit = lab.commit("nix/common.nix", "[ pkgs.git ]", "[\n    pkgs.git\n    pkgs.htop\n  ]")
    lab.ok("rebuild", *HOSTS)
    new = running(lab)
    assert not set(old.values()) & set(new.values())
    asked = lab.pvenix("rollback", *HOSTS, "--before", "last")
    assert asked.code == 2
    assert "data stays as it is" in asked.err
    assert "--yes" in asked.err
    back = lab.ok("rollback", *HOSTS, "nix-cache01", "--before", "last", "--yes")
    assert running(lab) == old
    assert "is not part of run" in back.out
    lab.ok("rollback", *HOSTS, "--before", "last", "--yes")
    assert running(lab) == new

    assert lab.pvenix("revert", commit[:10], "-C").code == 3
    main = lab.git("rev-parse", "origin/main")
    lab.ok("revert", commit[:10], *HOSTS, "--merge", "--yes")
    lab.git("fetch", "--quiet")
    assert lab.git("rev-parse", "origin/main^") == main
    assert lab.git("diff", "--name-only", f"{commit}^", "origin/main") == ""
    tip = lab.git("rev-parse", "origin/main")
    assert [lab.site.revision(host, path) for host, path in running(lab).items()] == [tip, tip]
    assert "nothing of" in lab.ends(1, "revert", commit[:10]).text


def test_a_pin_is_seen_by_plain_ssh_and_outlives_the_real_collector(lab: StoryLab) -> None:
    pinned = lab.site.follow("dns01", "/nix/var/nix/profiles/system-1-link")
    lab.ok("generations", "pin", "dns01", "1", "--reason", "the first one")
    assert lab.ssh("dns01", "readlink", "/var/lib/pvenix/pins/1.why") == "the first one"
    assert "pinned: the first one" in lab.ok("generations", "dns01").out
    lab.ssh("dns01", "sudo", "-n", "nix-collect-garbage", "-d")
    assert lab.ssh("dns01", "readlink", "-f", "/var/lib/pvenix/pins/1") == pinned
    assert (lab.tree("dns01") / pinned.lstrip("/")).is_dir()
    lab.ok("generations", "unpin", "dns01", "1")
    lab.ok("generations", "gc", "dns01")
    assert not (lab.tree("dns01") / pinned.lstrip("/")).exists()


def test_a_merge_of_several_commits_is_taken_back_whole_by_the_command_that_the_audit_log_names(lab: StoryLab) -> None:
    lab.git("fetch", "--quiet")
    main = lab.git("rev-parse", "origin/main")
    lab.git("switch", "--quiet", "--no-track", "-C", "topic/notes", "origin/main")
    for number in (1, 2):
        (lab.fleet / "nix" / f"note{number}.nix").write_text("{ }\n")
        lab.git("add", "nix")
        lab.git("commit", "--quiet", "-m", f"note {number}")
    tip = lab.git("rev-parse", "HEAD")
    lab.git("push", "--quiet", "origin", "topic/notes")
    lab.git("switch", "--quiet", "main")
    lab.ok("review", "approve", "topic/notes", tip)
    lab.ok("review", "merge", "topic/notes", tip)
    [told] = [line["undo"] for line in lab.ask("audit", "--undo")["audit"] if line["verb"] == "merge"]
    words = told.split()[1:]
    assert words == ["revert", f"{main[:12]}..{tip[:12]}"]
    lab.ok(*words, "--merge", "--yes")
    lab.git("fetch", "--quiet")
    assert lab.git("diff", "--name-only", main, "origin/main") == ""
    assert "is not before" in lab.ends(2, "revert", f"{tip[:12]}..{main[:12]}").text
    assert "nothing of" in lab.ends(1, *words).text
