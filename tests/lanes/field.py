"""One lab with many hosts for the lanes: faults by the dozen, one run over all of them, and the truth read from the disks."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tests.sim.golden import workplace
from tests.story.world import Done, StoryLab

HOSTS: Final = 20
"""The most hosts of a lab whose disks are directories, where the truth is read."""
_INIT = re.compile(r"init=(\S+)/init\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a guest's disk and a plain SSH client say."""

    runs: str
    """Store path of the running system."""
    profile: str
    boots: str
    """Store path of the boot default."""
    revision: str
    """The commit of the running system."""
    left: tuple[str, ...]
    """What of an attempt is still in the way: the fence."""


@dataclass(slots=True, kw_only=True)
class Ended:
    """One run of many hosts."""

    code: int
    text: str
    run: str
    status: dict[str, str] = field(default_factory=dict)
    """By host."""
    summary: dict[str, str] = field(default_factory=dict)
    gap_s: dict[str, float] = field(default_factory=dict)
    """By host: the longest time in which nothing was heard of it."""
    told: dict[str, dict[str, float]] = field(default_factory=dict)
    """By host: the phases that it told, and when."""
    at: dict[str, list[float]] = field(default_factory=dict)
    """By host: when something was heard of it, in seconds of the clock."""

    def began(self, host: str, phase: str) -> float:
        """When a host told a phase first; its first word when it never did."""
        return self.told.get(host, {}).get(phase, self.at[host][0])


class Field(StoryLab):
    """A running lab with `count` hosts beside its own."""

    patience_s = 600.0

    def __init__(self, folder: Path, count: int, *, seed: int) -> None:
        super().__init__(folder, "--hosts", str(count), "--seed", str(seed))
        self.hosts = tuple(f"web-{number:03d}" for number in range(1, count + 1))
        self._control = socket.create_connection((self.data["control"]["host"], self.data["control"]["port"]))
        self._answers = self._control.makefile("r")

    def close(self) -> None:
        """Stop the lab."""
        self._control.close()
        self.pvenix("lab", "down", str(self.lab), "--remove", "--yes", cwd=self.folder)

    def ask_lab(self, op: str, **fields: object) -> dict[str, Any]:
        """One operation of the control port, over a connection that stays."""
        words = {"token": self.data["control"]["token"], "op": op, **fields}
        self._control.sendall(json.dumps(words).encode() + b"\n")
        answer: dict[str, Any] = json.loads(self._answers.readline())
        assert answer["ok"], answer
        return answer

    def arm(self, name: str, host: str, *, nth: int = 1, **args: object) -> None:
        """Arm a fault of the lab once for one host."""
        self.ask_lab("fault", name=name, host=host, args=args, **({"nth": nth} if nth > 1 else {}))

    def touched(self, words: str) -> str:
        """A commit on main that changes every host's system."""
        self.git("pull", "--quiet", "--ff-only")
        with (self.fleet / "nix/modules/role-base.nix").open("a") as file:
            file.write(f"# {words}\n")
        self.git("commit", "--quiet", "--all", "--message", words)
        self.git("push", "--quiet")
        return self.git("rev-parse", "HEAD")

    def ended(self, *words: str) -> Ended:
        """A run to its end, read from its stream of events."""
        done: Done = self.pvenix(*words, "-o", "jsonl")
        assert "Traceback" not in done.text, done.text
        ended = Ended(code=done.code, text=done.err, run="")
        for event in map(json.loads, done.out.splitlines()):
            ended.run = event.get("run", ended.run)
            if host := event.get("host"):
                _note(ended, host, event)
        for host, moments in ended.at.items():
            ended.gap_s[host] = max((b - a for a, b in pairwise(moments)), default=0.0)
        return ended

    def truth(self, host: str) -> Truth:
        """What is so on a guest, without pvenix: its disk, and that a plain SSH client gets in."""
        root = self.tree(host)
        said = self.ssh(host, "readlink", "-f", "/run/current-system")
        default = re.search(r"^default (\S+)$", (root / "boot/loader/loader.conf").read_text(), re.MULTILINE)
        assert default, host
        init = _INIT.search((root / "boot/loader/entries" / default[1]).read_text())
        profiles = root / "nix/var/nix/profiles"
        fence = root / "run/pvenix/fence"
        return Truth(
            runs=said,
            profile=str((profiles / (profiles / "system").readlink()).readlink()),
            boots=init[1] if init else "",
            revision=json.loads(self.ssh(host, "nixos-version", "--json"))["configurationRevision"],
            left=tuple(path.name for path in fence.iterdir()) if fence.is_dir() else (),
        )

    def truths(self, hosts: Sequence[str]) -> dict[str, Truth]:
        """The truth of many hosts."""
        with ThreadPoolExecutor(4) as pool:
            return dict(zip(hosts, pool.map(self.truth, hosts), strict=True))


def _note(ended: Ended, host: str, event: dict[str, Any]) -> None:
    ended.at.setdefault(host, []).append(datetime.fromisoformat(event["at"]).timestamp())
    if event["kind"] == "host.ended":
        ended.status[host], ended.summary[host] = event["status"], event["summary"]
    elif event["kind"] == "progress":
        ended.told.setdefault(host, {}).setdefault(event["text"], ended.at[host][-1])


@contextmanager
def a_field(count: int, *, seed: int) -> Iterator[Field]:
    """A lab for one lane; nothing is left of it."""
    folder = workplace()
    try:
        site = Field(folder, count, seed=seed)
        try:
            yield site
        finally:
            site.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
