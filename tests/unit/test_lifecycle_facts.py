"""What is read of a host: its next boot, its checkout, what waits for a boot, and when nothing can be said."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from pvenix.engine.ports import CommandResult, End
from pvenix.lifecycle.facts import checkout_in, read_facts
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.state import looking_at
from pvenix.model.errors import OutcomeUnknown
from pvenix.model.generation import HostFacts

ONE, TWO = (f"/nix/store/{digit * 32}-nixos-system" for digit in "12")
BOOTED = ("initrd", "kernel", "kernel-modules")
PROFILE = "/nix/var/nix/profiles/system"
BOOT_ID = "0b0e7a56-5c0c-4f5e-9f3a-6b1f8f4f0d11"


class Session:
    """A host that runs and names `TWO`, its generation 2; generations 1 and 3 may be booted."""

    def __init__(self, loader: str | None, boot_id: str = BOOT_ID, noise: str = "") -> None:
        self.loader, self.boot_id, self.noise = loader, boot_id, noise
        self.sent: list[str] = []
        self.kernels = {f"{one}/{name}": name for one in ("/run/booted-system", PROFILE) for name in BOOTED}
        self.missing: set[str] = set()

    async def run(self, argv: Sequence[str], **_: object) -> CommandResult:
        self.sent.append(" ".join(argv))
        status, out = self._answer(list(argv))
        return CommandResult(argv=tuple(argv), end=End.EXITED, exit_status=status, stdout=out, stderr="", seconds=0)

    def _answer(self, words: list[str]) -> tuple[int, str]:
        match words:
            case ["readlink", "-f", "/run/booted-system", *_]:
                return 0, f"{self.noise}{ONE}\n{TWO}\n{TWO}\n"
            case ["readlink", path] if path == PROFILE:
                return 0, "system-2-link\n"
            case ["readlink", "-f", path]:
                return 0, {"1": ONE, "3": TWO}.get(path.split("-")[-2], path) + "\n"
            case ["cat", *_]:
                head = f"{self.boot_id}\n" if self.boot_id else ""
                return int(self.loader is None), head + (self.loader or "")
            case ["readlink", "-e", *paths]:
                return 0, "".join(f"{self.kernels.get(path, path)}\n" for path in paths if path not in self.missing)
            case ["ls", "-1", "/run/pvenix/fence"]:
                return 0, "r-0.0-1\n"
            case _:
                return 0, ""


async def facts(session: Session) -> HostFacts:
    return await read_facts(Remote(session=cast("Any", session), step=looking_at("dns01")))


@pytest.mark.parametrize(
    ("loader", "starts", "settled"),
    [
        ("timeout 5\ndefault nixos-generation-2.conf\nconsole-mode keep\n", TWO, True),
        ("default nixos-generation-1.conf\n", ONE, False),
        ("default nixos-generation-3.conf\n", TWO, True),  # two generations of one system
        ("default nixos-generation-9.conf\n", f"{PROFILE}-9-link", False),  # collected: it would not boot
        ("default @saved\n", "", True),
        ("default nixos-generation-2-specialisation-lab.conf\n", "", True),
        ("", "", True),
        (None, "", True),  # another boot loader
    ],
)
async def test_a_host_is_settled_when_its_boot_loader_starts_what_its_profile_names(
    loader: str | None, starts: str, settled: bool
) -> None:
    found = await facts(Session(loader))
    assert (found.starts, found.settled, found.boot_id) == (starts, settled, BOOT_ID)


async def test_a_boot_loader_at_the_profile_s_own_generation_costs_no_further_question() -> None:
    same, other = Session("default nixos-generation-2.conf\n"), Session("default nixos-generation-1.conf\n")
    await facts(same)
    await facts(other)
    assert (len(same.sent), len(other.sent)) == (8, 9)


async def test_the_attempt_that_holds_the_fence_is_named() -> None:
    assert (await facts(Session(None))).fence == ("r-0.0-1",)


@pytest.mark.parametrize("boot_id", ["", "Broadcast message from root@dns01"])
async def test_a_host_that_tells_no_boot_id_is_not_taken_for_one_that_rebooted(boot_id: str) -> None:
    with pytest.raises(OutcomeUnknown):
        await facts(Session(None, boot_id=boot_id))


@pytest.mark.parametrize("noise", ["x" * 1000 + "\n", "/tmp/x\n", "\n"])
async def test_a_line_too_many_is_not_taken_for_what_the_host_runs(noise: str) -> None:
    """Seed 60223: every line moved down by one, and the dead-man would have gone back to another system."""
    with pytest.raises(OutcomeUnknown, match="what the host runs is not known"):
        await facts(Session(None, noise=noise))


async def test_noise_before_the_boot_id_is_passed_over() -> None:
    assert (await facts(Session("default nixos-generation-2.conf\n", boot_id=f"noise\n{BOOT_ID}"))).boot_id == BOOT_ID


async def test_a_host_is_read_with_eight_commands_side_by_side_on_one_connection() -> None:
    """Each is a channel of its own, and a connection has eight: one more would wait for another's end."""
    session = Session("default nixos-generation-2.conf\n")
    await facts(session)
    assert len(session.sent) == len(set(session.sent)) == 8


async def test_what_the_profile_would_boot_otherwise_is_named() -> None:
    session = Session(None)
    assert (await facts(session)).reboot == ()
    session.kernels[f"{PROFILE}/kernel"] = "another"
    session.kernels[f"{PROFILE}/initrd"] = "another"
    assert (await facts(session)).reboot == ("kernel", "initrd")


async def test_a_container_that_has_no_kernel_waits_for_no_boot() -> None:
    session = Session(None)
    session.kernels[f"{PROFILE}/initrd"] = "another"
    session.missing = {"/run/booted-system/kernel"}
    assert (await facts(session)).reboot == ()


@pytest.mark.parametrize(
    ("text", "head", "edits"),
    [
        ("", "", ()),
        ("# branch.oid (initial)\n# branch.head main\n? a b\n", "", ("?? a b",)),
        ("# branch.oid abc\n# branch.head (detached)\n", "abc", ()),
        ("# branch.oid abc\n1 .M N... 100644 100644 100644 1 1 nix/a b.nix\n", "abc", (" M nix/a b.nix",)),
        ("# branch.oid abc\n2 R. N... 100644 100644 100644 1 1 R100 new name\told\n", "abc", ("R  old -> new name",)),
        ("# branch.oid abc\nu UU N... 100644 100644 100644 100644 1 2 3 x\n! ignored\n", "abc", ("UU x",)),
    ],
)
def test_edits_are_read_as_the_first_version_of_the_format_writes_them(
    text: str, head: str, edits: tuple[str, ...]
) -> None:
    assert checkout_in(text) == (head, edits)


def test_the_real_git_says_the_same_in_both_versions_of_the_format(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        person = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "core.hooksPath=/dev/null")
        return subprocess.run(("git", *person, *words), cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    git("init", "--quiet")
    for name in ("changed", "moved", "gone", "staged"):
        (tmp_path / name).write_text(f"{name}\n" * 9)
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    (tmp_path / "changed").write_text("otherwise\n")
    (tmp_path / "staged").write_text("otherwise\n")
    (tmp_path / "new").write_text("new\n")
    (tmp_path / "gone").unlink()
    git("add", "staged")
    git("mv", "moved", "moved\there")
    head, edits = checkout_in(git("--no-optional-locks", "status", "--porcelain=v2", "--branch"))
    assert head == git("rev-parse", "HEAD").strip()
    assert edits == tuple(git("status", "--porcelain").splitlines())  # which quotes names with spaces too
