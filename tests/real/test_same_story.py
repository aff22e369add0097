"""One story on the lab and on real guests: exit codes, what each step said, generations and the history of the fleet are equal."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from tests.real.pairs import difference
from tests.real.reason import why_not
from tests.real.site.source import make_source
from tests.real.site.world import RealSite
from tests.story.world import StoryLab, writes

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(why_not()), reason=why_not()), pytest.mark.timeout(300)]

NEW: Final = "tappaas-litellm"
HOSTS: Final = ("dns01", "docker01", "nix-cache01", "tappaas-cicd")
REBUILD: Final = ("run", "playbooks/rebuild-all.yaml")
ONBOARD: Final = ("run", "playbooks/onboard.yaml", "-l", NEW)
BROKEN: Final = '\n  systemd.services.broken = { wantedBy = [ "multi-user.target" ]; serviceConfig = { Type = "oneshot"; ExecStart = "/bin/false"; }; };'
_NEUTRAL: Final = (
    (re.compile(r"/nix/store/[0-9a-z]{32}-[\w.+-]+"), "<store path>"),
    (re.compile(r"nixos-system-([\w-]+?)-25\.11\.[\w.]+ \(\w{8}\)"), r"<system of \1>"),
    (re.compile(r"\b[0-9a-f]{8,40}\b"), "<commit>"),
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b"), "<run>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "<date>"),
    # Nix 2.8 and Nix 2.24 say it in their own words
    (
        re.compile(r"error: (getting status of '(.*?)': No such file or directory|path '(.*?)' does not exist)"),
        "error: no such path",
    ),
    (re.compile(r"Describe [\w-]+"), "Describe <site>"),
    (re.compile(r"\bclock [+-]\d+ s"), "clock <skew>"),
    (re.compile(r"\b(store|boot) [\d.]+ [KMGT]iB"), r"\1 <free>"),
    (re.compile(r"\d+ package changes"), "<n> package changes"),  # the closures are made of other packages
)


class Tale:
    """What one world said, chapter by chapter, without what differs by nature."""

    def __init__(self, world: StoryLab) -> None:
        self.world = world
        self.chapters: dict[str, list[str]] = {}

    def run(self, chapter: str, *words: str) -> None:
        """A run: its exit code, and how each step of each host ended."""
        done = self.world.pvenix(*words)
        lines = [f"exit code {done.code}"]
        for host in sorted(self.last()["hosts"], key=lambda one: str(one["host"])):
            lines += [f"{host['host']} {s['verb']}: {s['status']}: {s['summary']}" for s in host["steps"]]
        self.add(chapter, *lines)

    def add(self, chapter: str, *lines: str) -> None:
        """Anything else to be equal."""
        for pattern, name in _NEUTRAL:
            lines = tuple(pattern.sub(name, line) for line in lines)
        self.chapters[chapter] = list(lines)

    def last(self) -> Any:
        """The last run."""
        return self.world.ask("runs", "show", "last")

    def generations(self, chapter: str, *hosts: str) -> None:
        """The numbers of each host's generations, which is current, and the commit of each by its message."""
        lines = []
        for host in hosts:
            for one in self.world.ask("generations", host)["generations"]:
                commit = one["revision"] and self.world.git("log", "-1", "--format=%s", one["revision"])
                lines.append(f"{host} {one['number']} current={one['current']} {commit}")
        self.add(chapter, *lines)

    def history(self, chapter: str) -> None:
        """The branches, and the commits on main with the files that they touch."""
        self.world.git("fetch", "--quiet", "--prune")
        log = self.world.git("log", "--first-parent", "-m", "--name-status", "--format=commit: %s", "origin/main")
        branches = self.world.git("for-each-ref", "--format=%(refname)", "refs/remotes/origin")
        self.add(chapter, *branches.splitlines(), *[line for line in log.splitlines() if line])


def tell(world: StoryLab, arm: Callable[[], None]) -> dict[str, list[str]]:
    """Onboard, rebuild twice, roll back, fail to build, fail a unit (`arm` lets it where units are not started), retire."""
    tale = Tale(world)
    tale.run("a new host is onboarded until its review", *ONBOARD)
    branch = world.git("ls-remote", "origin", f"refs/heads/registration/{NEW}").split()[0]
    tale.add("it is approved", str(world.pvenix("review", "approve", NEW, branch, "-m", "right", "--merge").code))
    tale.run("the same playbook goes on from there", *ONBOARD)
    world.commit("nix/common.nix", "[ pkgs.git ]", "[\n    pkgs.git\n    pkgs.htop\n  ]")
    tale.run("a change is rebuilt everywhere", *REBUILD)
    done, counters = world.counted(*REBUILD)
    tale.add("the second time writes nothing", str(done.code), str(writes(counters)))
    tale.run("the second time every step is done", *REBUILD)
    tale.generations("the generations after it", *HOSTS, NEW)
    tale.run("a host is rolled back to a named generation", "rollback", "dns01", "--to", "2", "--yes")
    tale.generations("the generations after the rollback", "dns01")
    tale.run("a check names what is behind", *REBUILD, "-C")
    world.commit("nix/hosts/docker01.nix", "../configuration.nix", "../configuration.nix\n    ../gone.nix")
    tale.run("one host does not build and the others go on", *REBUILD)
    world.commit("nix/hosts/docker01.nix", "\n    ../gone.nix", "")
    world.commit(
        "nix/hosts/nix-cache01.nix",
        'networking.hostName = "nix-cache01";',
        f'networking.hostName = "nix-cache01";{BROKEN}',
    )
    arm()
    tale.run("a new system with a failing unit is taken back", "rebuild", "nix-cache01")
    tale.generations("the generations after that", "nix-cache01", "docker01")
    tale.run("a host is retired", "retire", NEW, "--confirm", NEW)
    tale.history("the history")
    return tale.chapters


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[str]]]:
    """The story in both worlds, told at the same time."""
    folder = tmp_path_factory.mktemp("same").resolve()
    source = make_source(folder / "source")
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        parts = {
            "lab": pool.submit(_in_the_lab, folder / "lab", source, stack),
            "real": pool.submit(_on_real_guests, folder / "real", stack),
        }
        return {name: part.result() for name, part in parts.items()}


def _in_the_lab(folder: Path, source: Path, stack: contextlib.ExitStack) -> dict[str, list[str]]:
    folder.mkdir()
    lab = StoryLab(folder, "--speed", "4", "--from", str(source))
    stack.callback(lambda: lab.pvenix("lab", "down", str(lab.lab), cwd=folder))
    return tell(lab, lambda: lab.fault("unit-fails", "nix-cache01", unit="broken.service"))


def _on_real_guests(folder: Path, stack: contextlib.ExitStack) -> dict[str, list[str]]:
    folder.mkdir()
    site = RealSite(folder)
    stack.callback(site.close)
    with site.network():
        return tell(site, lambda: None)


@pytest.mark.slow
def test_the_story_is_the_same_on_the_lab_and_on_real_guests(told: dict[str, dict[str, list[str]]]) -> None:
    lines = {
        world: [line for chapter, said in chapters.items() for line in (f"== {chapter}", *said)]
        for world, chapters in told.items()
    }
    if text := difference(lines["real"], lines["lab"]):
        pytest.fail(text, pytrace=False)
