"""What is read of a host's next boot: the profile's generation, the boot loader's, and when nothing can be said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from pvenix.engine.ports import CommandResult, End
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.state import looking_at
from pvenix.model.errors import OutcomeUnknown
from pvenix.model.generation import HostFacts

ONE, TWO = (f"/nix/store/{digit * 32}-nixos-system" for digit in "12")
PROFILE = "/nix/var/nix/profiles/system"
BOOT_ID = "0b0e7a56-5c0c-4f5e-9f3a-6b1f8f4f0d11"


class Session:
    """A host that runs and names `TWO`, its generation 2; generations 1 and 3 may be booted."""

    def __init__(self, loader: str | None, boot_id: str = BOOT_ID, noise: str = "") -> None:
        self.loader, self.boot_id, self.noise = loader, boot_id, noise
        self.sent: list[str] = []

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
