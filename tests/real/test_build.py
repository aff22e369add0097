"""Deliver a commit and build it on a guest: the words of lifecycle/argv.py on the real git and Nix."""

from __future__ import annotations

import pytest

from pvenix.lifecycle import argv, build
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.remote import as_text
from pvenix.model.errors import RemoteFailure
from pvenix.model.names import CommitId, store_path
from pvenix.model.outcome import Need, Status
from tests.real.lane import HOST, Lane
from tests.real.reason import why_not

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(why_not()), reason=why_not())]
ROLE = "nix/modules/role-base.nix"


def package(name: str, version: str, script: str = "") -> str:
    """A module with one package, built by `script`."""
    return f"{{ environment.packages.{name} = {{ version = \"{version}\"; build = ''{script}''; }}; }}\n"


async def test_a_commit_is_delivered_as_a_bundle_built_rooted_and_compared(built: Lane) -> None:
    commit = await built.change({ROLE: package("base", "2.5")})
    step, record = built.step("build")
    outcome = await build.apply(built.world, step)
    new, old = outcome.facts["new"], outcome.facts["old"]
    assert outcome.status is Status.CHANGED
    assert outcome.evidence == ("base: 2.4 → 2.5",)
    assert built.host.console("git", "-C", "/etc/nixos", "rev-parse", "HEAD").stdout.strip() == commit
    assert built.host.console("readlink", f"/var/lib/pvenix/{step.run}/new").stdout.strip() == new != old
    assert built.host.console(f"{new}/sw/bin/nixos-version", "--json").stdout.count(commit) == 1
    promised = [text for _, text in await build.commands(built.world, step)]
    assert record.sent == [text for text in promised if "--dry-run" not in text]


async def test_what_was_built_survives_the_garbage_collector_until_its_root_goes(built: Lane) -> None:
    await built.change({ROLE: package("base", "2.5")})
    step, _ = built.step("build")
    facts = (await build.apply(built.world, step)).facts
    link, new, old = f"/var/lib/pvenix/{step.run}/new", facts["new"], facts["old"]
    roots = built.host.console("nix-store", "--gc", "--print-roots").stdout.splitlines()
    assert f"{link} -> {new}" in roots
    built.host.console("nix-store", "--gc")
    assert built.host.console("nix-store", "--verify-path", new).returncode == 0
    built.host.console("rm", link)
    built.host.console("nix-store", "--gc")
    assert built.host.console("test", "-e", new, check=False).returncode == 1
    assert built.host.console("nix-store", "--verify-path", old).returncode == 0


async def test_the_roots_of_an_attempt_keep_both_systems(built: Lane) -> None:
    await built.change({ROLE: package("base", "2.5")})
    step, _ = built.step("build")
    new = store_path((await build.apply(built.world, step)).facts["new"])
    remote, _ = await built.remote()
    await remote.write(argv.root(new, "/var/lib/pvenix/r9/new"))
    built.host.console("rm", f"/var/lib/pvenix/{step.run}/new")
    built.host.console("nix-store", "--gc")
    assert built.host.console("nix-store", "--verify-path", new).returncode == 0


async def test_a_second_build_builds_nothing_and_moves_nothing(built: Lane) -> None:
    await built.change({ROLE: package("base", "2.5")})
    first_step, first_record = built.step("build")
    first = await build.apply(built.world, first_step)
    second_step, second_record = built.step("build")
    second = await build.apply(built.world, second_step)
    assert first.facts["new"] == second.facts["new"]
    assert "building '/nix/store/" in first_record.shown
    assert "building '/nix/store/" not in second_record.shown
    assert [text for text in second_record.sent if "bundle" in text or "checkout" in text] == []
    remote, _ = await built.remote()
    dry = await remote.try_read(argv.dry_build(HOST, first.facts["built"]), sudo=True)
    assert (dry.ok, dry.stdout, dry.stderr) == (True, "", "")


async def test_a_dry_build_says_what_would_be_built_and_builds_nothing(built: Lane) -> None:
    commit = await built.change({ROLE: package("base", "2.5")})
    step, _ = built.step("look")
    remote = await built.world.remote(step)
    await build.deliver(built.world, remote, commit, attempt=step.run)
    dry = await remote.try_read(argv.dry_build(HOST, commit), sudo=True)
    assert dry.ok
    assert "-base-2.5.drv" in dry.stderr
    assert "-greeter-1.0.drv" not in dry.stderr
    assert list(built.host.file("/nix/store").glob("*-base-2.5")) == []


async def test_a_deployed_host_is_done_and_a_moved_main_branch_is_needed(built: Lane) -> None:
    step, _ = built.step("build")
    found = await build.probe(built.world, step)
    assert (found.need, found.facts["commit"]) == (Need.DONE, built.image.commit)
    commit = await built.change({ROLE: package("base", "2.5")})
    again = await build.probe(built.world, step)
    assert (again.need, again.facts["commit"]) == (Need.NEEDED, commit)


async def test_a_failing_builder_is_quoted_with_its_line_and_exit_code(built: Lane) -> None:
    await built.change({ROLE: package("broken", "1.0", "echo 'greeter.c:3: expected a semicolon' >&2; exit 3")})
    step, record = built.step("build")
    with pytest.raises(RemoteFailure) as failure:
        await build.apply(built.world, step)
    quoted = "\n".join(failure.value.evidence)
    assert "greeter.c:3: expected a semicolon" in quoted
    assert "failed with exit code 3" in quoted
    assert failure.value.why.endswith("(exit status 1)")
    assert "greeter.c:3: expected a semicolon" in record.shown
    assert not built.host.file(f"/var/lib/pvenix/{step.run}/new").is_symlink()
    assert (await read_facts((await built.remote())[0])).revision == built.image.commit


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({ROLE: "{\n  environment.packages.base.version = ;\n}\n"}, "role-base.nix:2:39"),
        ({"nix/hosts/dns01.nix": "{ imports = [ ./gone.nix ]; }\n"}, "gone.nix"),
        ({"nix/hosts/dns01.nix": None, "nix/hosts/other.nix": "{ }\n"}, "does not provide attribute"),
    ],
    ids=["syntax", "missing import", "missing host"],
)
async def test_what_does_not_evaluate_is_quoted_with_its_place(
    built: Lane, files: dict[str, str | None], said: str
) -> None:
    await built.change(files)
    step, _ = built.step("build")
    with pytest.raises(RemoteFailure) as failure:
        await build.apply(built.world, step)
    assert said in "\n".join(failure.value.evidence)
    assert failure.value.why.endswith("(exit status 1)")


async def test_local_edits_are_put_aside_where_git_finds_them(built: Lane) -> None:
    commit = await built.change({ROLE: package("base", "2.5")})
    built.host.file("/etc/nixos/nix/common.nix").write_text("# mine, never added\n")
    built.host.file("/etc/nixos/nix/configuration.nix").write_text("# mine, changed\n")
    built.host.file("/etc/nixos/nix/staged.nix").write_text("# mine, added\n")
    built.host.console("git", "-C", "/etc/nixos", "add", "nix/staged.nix")
    step, record = built.step("build")
    outcome = await build.apply(built.world, step)
    assert outcome.facts["built"] == commit
    assert any("stash" in text for text in record.told)
    assert built.host.console("git", "-C", "/etc/nixos", "status", "--porcelain").stdout == ""
    listed = built.host.console("git", "-C", "/etc/nixos", "stash", "list").stdout
    assert listed.endswith(f": pvenix-{step.run}\n")
    shown = built.host.console("git", "-C", "/etc/nixos", "stash", "show", "-p", "--include-untracked").stdout
    assert [line for line in shown.splitlines() if line.startswith("+# mine")] == [
        "+# mine, never added", "+# mine, changed", "+# mine, added",
    ]  # fmt: skip


async def test_a_bundle_holds_only_what_the_guest_lacks(built: Lane) -> None:
    commit = await built.change({ROLE: package("base", "2.5")})
    whole = await built.world.repo.bundle(commit, have=None)
    rest = await built.world.repo.bundle(commit, have=CommitId(built.image.commit))
    assert len(rest) < len(whole) / 100
    step, _ = built.step("build")
    await build.apply(built.world, step)
    assert built.host.file(f"/var/lib/pvenix/{step.run}/fleet.bundle").stat().st_size == len(rest)


async def test_a_history_that_went_another_way_on_the_guest_is_left_there_and_main_is_delivered(built: Lane) -> None:
    built.host.file("/etc/nixos/README").write_text("committed by hand\n")
    built.host.console("git", "-C", "/etc/nixos", "add", "README")
    person = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    built.host.console("git", "-C", "/etc/nixos", *person, "commit", "--quiet", "-m", "by hand")
    mine = built.host.console("git", "-C", "/etc/nixos", "rev-parse", "HEAD").stdout.strip()
    commit = await built.change({ROLE: package("base", "2.5")})
    step, _ = built.step("build")
    assert (await build.apply(built.world, step)).facts["built"] == commit
    branches = built.host.console("git", "-C", "/etc/nixos", "branch", "--contains", mine).stdout
    assert "main" in branches


async def test_plain_files_in_etc_nixos_are_kept_and_a_repository_takes_their_place(built: Lane) -> None:
    built.host.console("rm", "-r", "/etc/nixos/.git")
    built.host.file("/etc/nixos/mine.nix").write_text("# mine\n")
    commit = await built.change({ROLE: package("base", "2.5")})
    step, record = built.step("build")
    assert (await build.apply(built.world, step)).facts["built"] == commit
    assert built.host.file(f"/var/lib/pvenix/{step.run}/etc-nixos/mine.nix").read_text() == "# mine\n"
    assert any("aside" in text for text in record.told)
    assert built.host.console("git", "-C", "/etc/nixos", "rev-parse", "HEAD").stdout.strip() == commit


async def test_a_guest_without_etc_nixos_gets_one(built: Lane) -> None:
    built.host.console("rm", "-r", "/etc/nixos")
    step, _ = built.step("build")
    assert (await build.apply(built.world, step)).status is Status.OK
    assert await build.probe(built.world, step) == await build.probe(built.world, built.step("build")[0])
    assert (await build.probe(built.world, step)).need is Need.DONE


async def test_nothing_is_built_without_sudo(built: Lane) -> None:
    built.host.console("sh", "-c", "chmod 600 /etc/sudoers; sed -i /NOPASSWD/d /etc/sudoers; chmod 440 /etc/sudoers")
    await built.change({ROLE: package("base", "2.5")})
    step, record = built.step("build")
    with pytest.raises(RemoteFailure) as failure:
        await build.apply(built.world, step)
    assert failure.value.what == "sudo does not let us work on dns01"
    assert failure.value.why == "sudo: a password is required"
    assert record.sent == []


async def test_the_free_space_is_a_number_of_bytes(built: Lane) -> None:
    remote, _ = await built.remote()
    words = (await remote.read(argv.FREE_SPACE)).split()
    there = built.host.console("stat", "-f", "-c", "%a %S", "/nix/store").stdout.split()
    assert words[0] == "Avail"
    assert abs(int(words[1]) - int(there[0]) * int(there[1])) < 1 << 28
    assert as_text(argv.FREE_SPACE) == "df --output=avail -B1 /nix/store"
