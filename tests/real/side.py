"""The same commands on a real and on a simulated guest, and what of their answers has to be equal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pvenix.engine.ports import GuestSession
from tests.real import fleet
from tests.real.lane import HOST, Image, Lane

CHANGES: Final = (("README", "two\n"), ("nix/modules/extra.nix", "{ }\n"))
"""One more commit on the guest and one more system for each."""
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_STORE: Final = re.compile(r"/nix/store/[0-9a-z]{32}-[\w.+-]+")
_COMMIT: Final = re.compile(r"\b[0-9a-f]{40}\b")


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of a conversation; words may name `{system0}` or `{commit0}`."""

    words: tuple[str, ...]
    sudo: bool = True
    stdin: bytes = b""
    status: bool = True
    """False when its exit status is known to differ between versions."""
    stderr: bool = False
    """True when what it says on standard error counts too."""


@dataclass(kw_only=True)
class Side:
    """A guest whose first system runs and boots, with more of them built."""

    session: GuestSession
    commits: tuple[str, ...]
    systems: tuple[str, ...]
    _names: dict[str, str] = field(default_factory=dict)

    async def talk(self, commands: Sequence[Command]) -> list[str]:
        """A line or more for each command: how it ended and what it said, without what differs by nature."""
        lines = []
        for command in commands:
            done = await self.session.run(
                [self.filled(word) for word in command.words], sudo=command.sudo, stdin=command.stdin
            )
            said = done.stdout + (done.stderr if command.stderr else "")
            ended = f"{done.end} {done.exit_status}" if command.status else str(done.end)
            lines.append(f"{' '.join(command.words)[:100]}: {ended}")
            lines += [f"  {line}" for line in self.neutral(said).splitlines()]
        return lines

    def _known(self) -> dict[str, str]:
        named = {path: f"{{system{number}}}" for number, path in enumerate(self.systems)}
        return named | {commit: f"{{commit{number}}}" for number, commit in enumerate(self.commits)}

    def filled(self, word: str) -> str:
        """A word with the paths and commits that it names."""
        for value, name in self._known().items():
            word = word.replace(name, value)
        return word

    def neutral(self, text: str) -> str:
        """A text with their names in place of paths and commits, and no dates."""
        for value, name in self._known().items():
            text = text.replace(value, name)
        text = _DATE.sub("<date>", text)
        text = _STORE.sub("<store path>", text)
        return _COMMIT.sub("<commit>", text)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A real guest in that state, off."""

    root: Path
    commits: tuple[str, ...]
    systems: tuple[str, ...]


def prepare(image: Image, folder: Path) -> Prepared:
    """Make one from the image."""
    lane = Lane(image=image, folder=folder)
    lane.start(HOST)
    commits, systems = [image.commit], [lane.host.console("readlink", "-f", "/run/current-system").stdout.strip()]
    for path, text in CHANGES:
        lane.host.file(f"/etc/nixos/{path}").write_text(text)
        lane.host.console("git", "-C", "/etc/nixos", "add", path)
        person = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        lane.host.console("git", "-C", "/etc/nixos", *person, "commit", "--quiet", "-m", f"edit {path}")
        commits.append(lane.host.console("git", "-C", "/etc/nixos", "rev-parse", "HEAD").stdout.strip())
        systems.append(lane.host.build(fleet.system_of(HOST, commits[-1])))
    lane.host.stop()
    return Prepared(root=lane.host.root, commits=tuple(commits), systems=tuple(systems))


async def real_side(lane: Lane, prepared: Prepared) -> Side:
    """The real dns01 in that state."""
    lane.keep_repository_here()
    lane.start(HOST, root=prepared.root)
    session = await lane.guest.session(await lane.world.target(HOST))
    return Side(session=session, commits=prepared.commits, systems=prepared.systems)
