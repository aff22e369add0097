"""The lab's simulated guest answers as the real programs do: exit status and output of the same conversations."""

from __future__ import annotations

import asyncio
from difflib import unified_diff

import pytest

from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import words
from pvenix.lifecycle.facts import ETC_NIXOS
from pvenix.lifecycle.gitkeys import key_line
from tests.real import fleet
from tests.real.lab_side import lab_side
from tests.real.lane import HOST, Image, Lane
from tests.real.reason import why_not
from tests.real.side import Command, Prepared, Side, prepare, real_side

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(why_not()), reason=why_not())]


def root(*words: str, stdin: bytes = b"", stderr: bool = False) -> Command:
    return Command(words=words, stdin=stdin, stderr=stderr)


def user(*words: str, stderr: bool = False) -> Command:
    return Command(words=words, sudo=False, stderr=stderr)


def profile(*words: str) -> Command:
    return root("nix-env", "-p", argv.PROFILE, *words, stderr=True)


def git(*words: str, stderr: bool = False) -> Command:
    return root("git", "-C", "/etc/nixos", *words, stderr=stderr)


def line(who: str) -> bytes:
    """A line of a Git key."""
    return f"{key_line('/srv/serve', who, 'ssh-ed25519 AAAA', repository='/srv/git/x')}\n".encode()


LIST = root("nix-env", "-p", argv.PROFILE, "--list-generations")
NOWHERE = "/nix/store/00000000000000000000000000000000-nowhere"
LINK = "/tmp/link"
KEYS = "/var/lib/keys"
FILE = f"{KEYS}/authorized_keys"
KEPT = Command(words=("mv", "-T", "-n", "/var/lib/pvenix/b/fence", argv.FENCE), status=False)
"""Exits 0 before coreutils 9.2 and 1 since; nothing goes by it."""
CONVERSATIONS: dict[str, list[Command]] = {
    "generations": [
        LIST, profile("--set", "{system0}"), LIST, profile("--set", "{system1}"), LIST, profile("--set", "{system1}"), LIST,
        profile("--rollback"), LIST, profile("--set", "{system1}"), LIST, profile("--switch-generation", "1"), LIST,
        profile("--rollback"), profile("--switch-generation", "99"), LIST, profile("--set", "{system2}"), LIST,
        profile("--set", "{system0}"), LIST, profile("--rollback"), LIST,
        root("nix-env", "-p", argv.PROFILE, "--set", NOWHERE), LIST,  # its words differ between versions of Nix
        root("readlink", argv.PROFILE), root(*argv.resolve(argv.generation_link(1), argv.generation_link(4))),
    ],
    "removed generations": [
        profile("--set", "{system1}"), profile("--set", "{system2}"), profile("--set", "{system0}"),
        profile("--delete-generations", "2"), LIST, profile("--delete-generations", "4"), LIST,
        profile("--delete-generations", "77"), LIST, profile("--rollback"), LIST, profile("--delete-generations", "old"), LIST,
    ],
    "a build": [
        root(*argv.build(HOST, "{commit0}", LINK)), root("readlink", LINK), root(*argv.build(HOST, "{commit2}", LINK)),
        root("readlink", "-f", LINK), root(*argv.dry_build(HOST, "{commit1}"), stderr=True),
        root("nix", "build", "--json", "--no-link", fleet.system_of(HOST, "{commit1}")),
        root("nix", "eval", "--raw", f"{fleet.system_of(HOST, '{commit1}')}.outPath"),
    ],
    "a build that cannot be": [
        root(*argv.build("gone", "{commit0}", LINK)), root(*argv.build(HOST, "0" * 40, LINK)),
        root("nix", "build", "--json", "--no-link", "/etc/nowhere#x"), root("nix", "no-such-command"),
        root("readlink", LINK), user(*argv.build(HOST, "{commit0}", "/root/link")),
        root("nix", "build", "--no-link", NOWHERE),
    ],
    "closures": [
        root(*argv.closure_diff("{system0}", "{system0}")), root(*argv.closure_diff("{system0}", "{system1}")),
        root(*argv.closure_diff("{system0}", NOWHERE)),
    ],
    "the four facts": [
        user(*argv.SYSTEMS), root("{system1}/bin/switch-to-configuration", "test"), user(*argv.SYSTEMS),
        profile("--set", "{system1}"), root("{system1}/bin/switch-to-configuration", "boot"), user(*argv.SYSTEMS),
        root("{system1}/bin/switch-to-configuration", "check"), root("{system1}/bin/switch-to-configuration", "nonsense"),
    ],
    "the checkout": [
        root(*argv.CHECKOUT), root(*argv.EDITS), root("dd", "of=/etc/nixos/new file", "status=none", stdin=b"x"),
        root(*argv.EDITS), root("dd", "of=/etc/nixos/README", "status=none", stdin=b"changed"), root(*argv.EDITS),
        root("rm", "-f", "/tmp/none"), root(*argv.stash_edits("r1-0")), root(*argv.EDITS), git("stash", "list"),
        root(*argv.checkout("{commit0}"), stderr=True), root(*argv.CHECKOUT), root(*argv.EDITS),  # type: ignore[arg-type]
        root("dd", "of=/etc/nixos/README", "status=none", stdin=b"again"), root("touch", "/etc/nixos/new file"),
        root(*ETC_NIXOS), user(*ETC_NIXOS, stderr=True),
        root(*argv.stash_edits("r1-1")), git("rev-parse", "--verify", "--quiet", "refs/heads/nowhere"),
        root(*argv.checkout("0" * 40), stderr=True), root("git", "-C", "/etc", "rev-parse", "HEAD"),  # type: ignore[arg-type]
        root("git", "-C", "/nowhere", "status", stderr=True),
        git("fetch", "--quiet", "/tmp/no.bundle", "+refs/heads/main:refs/remotes/origin/main"),
        git("rev-list", "--count", "HEAD"), git("log", "--format=%s", "-1", "{commit2}"),
    ],
    "files": [
        root(*argv.make_dir("/var/lib/pvenix/a b")), root(*argv.write_file("/var/lib/pvenix/a b/c"), stdin=b"one\ntwo\n"),
        root("cat", "/var/lib/pvenix/a b/c"), root("cat", "/nowhere", stderr=True), root("ls", "-1", "/var/lib/pvenix"),
        root("ls", "-1", "/nowhere", stderr=True), root("tail", "-c", "+5", "/var/lib/pvenix/a b/c"),
        root("test", "-e", "/nowhere"), root("test", "-e", "/etc/nixos"), root(*argv.make_dir("/etc/nixos/README"), stderr=True),
        root(*argv.write_file("/nowhere/x"), stdin=b"x", stderr=True), root("chmod", "600", "/var/lib/pvenix/a b/c"),
        user("cat", "/var/lib/pvenix/a b/c", stderr=True), user("mkdir", "/var/lib/mine", stderr=True),
        user("dd", "of=/var/lib/pvenix/mine", "status=none", stderr=True), root("mv", "-T", "/nowhere", "/tmp/x", stderr=True),
    ],
    "keys under a lock": [
        root(*argv.make_dir(KEYS)), root("chmod", "700", KEYS), root("touch", FILE), root("chmod", "600", FILE),
        root(*argv.locked(KEYS, argv.append_to_file(FILE)), stdin=line("guest:dns01")),
        root(*argv.locked(KEYS, argv.append_to_file(FILE)), stdin=line("guest:dns02") + b"# guest:dns01 is a comment\n"),
        root(*argv.locked(KEYS, argv.append_to_file(FILE)), stdin=line("guest:dns01")),
        root("cat", FILE), root(*argv.locked(KEYS, argv.take_lines_out(FILE, '^[^#].*guest:dns01[ "]')), stderr=True),
        root("cat", FILE), root("stat", "-c", "%a %U", FILE), root("ls", "-1", KEYS),
        root(*argv.locked(KEYS, argv.take_lines_out(FILE, '^[^#].*guest:dns01[ "]')), stderr=True), root("cat", FILE),
        root(*argv.locked(KEYS, argv.take_lines_out(f"{KEYS}/none", "x")), stderr=True),
        root(*argv.locked("/nowhere/x", argv.take_lines_out(FILE, "x")), stderr=True), root("cat", FILE),
        user(*argv.locked(KEYS, argv.take_lines_out(FILE, "x")), stderr=True),
    ],
    "links": [
        root("readlink", "-f", "/nowhere"), root("readlink", "-f", "/nowhere/deeper"), root("readlink", "/etc/nixos"),
        root("readlink", "-f", "/run/current-system", "/nowhere/deeper", "/run/booted-system"), root("readlink", "-f", "/"),
        root("readlink", "-f", argv.PROFILE), root("readlink", "/nix/var/nix/profiles/system"),
    ],
    "a fence": [
        root(*argv.make_dir("/var/lib/pvenix/a/fence")), root(*argv.make_dir("/var/lib/pvenix/b/fence")),
        root(*argv.make_dir("/run/pvenix")), root(*argv.write_file("/var/lib/pvenix/a/fence/a"), stdin=b"a"),
        root(*argv.write_file("/var/lib/pvenix/b/fence/b"), stdin=b"b"),
        root("mv", "-T", "-n", "/var/lib/pvenix/a/fence", argv.FENCE), root("ls", "-1", argv.FENCE),
        KEPT, root("ls", "-1", argv.FENCE),
        root("mv", "-T", argv.FENCE, "/var/lib/pvenix/a/released"), root("ls", "-1", argv.FENCE),
        root("mv", "-T", "-n", "/var/lib/pvenix/b/fence", argv.FENCE), root("ls", "-1", argv.FENCE),
    ],
    "a person": [
        user("true"), user("false"), user("id", "-u"), root("id", "-u"), user("id", "-un"), user("whoami"), root("whoami"),
        user("hostname"), user("uname", "-n"), user("uname", "-s"), user("no-such-program"), root("no-such-program", stderr=True),
        user("/nowhere/program"), user("sudo", "-n", "true"), user("env", "A=1", "id", "-u"), user("echo", "a  b", "$HOME"),
        user("getent", "passwd", "nobody-here"), user("cat", "/proc/sys/kernel/hostname"),
    ],
}  # fmt: skip


ALONE = ("generations", "removed generations", "the four facts", "the checkout")
TOGETHER = tuple(name for name in CONVERSATIONS if name not in ALONE)
"""These do not disturb each other: one guest answers them one after the other."""


@pytest.fixture(scope="module")
def prepared(image: Image) -> Prepared:
    folder = image.folder / "side"
    folder.mkdir()
    return prepare(image, folder)


async def talk(side: Side, names: tuple[str, ...]) -> list[str]:
    """What the guest answers in these conversations."""
    return [line for name in names for line in (f"-- {name}", *await side.talk(CONVERSATIONS[name]))]


@pytest.mark.parametrize("names", [*((name,) for name in ALONE), TOGETHER], ids=" and ".join)
async def test_a_conversation_has_the_same_answers_on_the_lab_as_on_the_real_programs(
    lane: Lane, prepared: Prepared, names: tuple[str, ...]
) -> None:
    real = await talk(await real_side(lane, prepared), names)
    async with lab_side(lane.folder / "lab") as side:
        simulated = await talk(side, names)
    assert "\n".join(unified_diff(real, simulated, "real", "lab", n=1, lineterm="")) == ""


async def test_the_free_space_has_the_same_form(lane: Lane, prepared: Prepared) -> None:
    real = await (await real_side(lane, prepared)).session.run(argv.FREE_SPACE)
    async with lab_side(lane.folder / "lab") as side:
        simulated = await side.session.run(argv.FREE_SPACE)
    for answer in (real, simulated):
        heading, number = answer.stdout.splitlines()
        assert (answer.exit_status, heading.strip(), number.isdigit(), len(heading)) == (0, "Avail", True, len(number))


async def follow(side: Side) -> list[str]:
    """What a follower of a log sees that is not there yet, is written in parts, and goes on after a cut from an offset."""
    path, seen = "/var/lib/pvenix/r1/activate.log", [""]

    async def write(text: str) -> None:
        await side.session.run(("dd", f"of={path}", "status=none"), sudo=True, stdin=text.encode())

    async with side.session.stream(words.follow(path, 0), sudo=True) as chunks:
        await asyncio.sleep(0.1)
        await side.session.run(argv.make_dir("/var/lib/pvenix/r1"), sudo=True)
        await write("one\n")
        while "one" not in seen[-1]:
            seen[-1] += await anext(chunks)
    seen.append("")
    async with side.session.stream(words.follow(path, 2), sudo=True) as chunks:
        while "e" not in seen[-1]:
            seen[-1] += await anext(chunks)
    return seen


async def test_a_log_is_followed_in_the_same_way(lane: Lane, prepared: Prepared) -> None:
    real = await follow(await real_side(lane, prepared))
    async with lab_side(lane.folder / "lab") as side:
        simulated = await follow(side)
    assert real == simulated == ["one\n", "e\n"]
