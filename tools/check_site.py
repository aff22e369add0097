"""Looks whether a site is as the demo claims, with nothing of pvenix (see far_side).

Usage: python -m tools.check_site DIR CLAIMS, with DIR a running lab's directory and CLAIMS the JSON file that the demo wrote.
Prints a line for each fact; exits 1 when one does not hold.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.far_side import PROFILES, Site

TEMPLATE = 8100


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that must be so, and what was seen."""

    text: str
    expected: object
    seen: object

    @property
    def holds(self) -> bool:
        """True when what was seen is what must be."""
        return self.expected == self.seen


Facts = Iterator[Fact]


# --- facts of a host that was onboarded, verb by verb ----------------------------------------------------------------


def placed(site: Site, host: str, claim: dict[str, Any]) -> Facts:
    """The node is the one that `place` named, and has what the VM needs."""
    vm, config = site.vm(host), site.config(host)
    yield Fact(text=f"place: VM {vm['vmid']} is on the node that was chosen", expected=claim["node"], seen=vm["node"])
    for key in (key for key in config if key.startswith("hostpci")):
        name = re.findall(r"mapping=([^,]+)", config[key])[0]
        maps = next(each["map"] for each in site.api("/cluster/mapping/pci") if each["id"] == name)
        nodes = [re.findall(r"node=([^,]+)", line)[0] for line in maps]
        yield Fact(text=f"place: the card {name} is on that node", expected=True, seen=vm["node"] in nodes)


def cloned(site: Site, host: str, claim: dict[str, Any]) -> Facts:
    """A VM of our own with the inventory's size; the template is what it was."""
    vm, config = site.vm(host), site.config(host)
    names = [each["vmid"] for each in site.vms if each.get("template")]
    yield Fact(text=f"clone: {TEMPLATE} is still the only template", expected=[TEMPLATE], seen=names)
    yield Fact(text="clone: it has the inventory's VM id", expected=claim["vmid"], seen=vm["vmid"])
    yield Fact(text="clone: it carries the tag", expected=True, seen="pvenix" in re.split("[;,]", config["tags"]))
    owner = f"pvenix-host: {host}" in config["description"].splitlines()
    yield Fact(text="clone: its notes name its host", expected=True, seen=owner)
    for key in ("cores", "memory"):
        yield Fact(text=f"clone: {key} as in the inventory", expected=claim[key], seen=int(config[key]))
    size = int(re.findall(r"size=(\d+)G", config["scsi0"])[0])
    yield Fact(text="clone: its disk holds what the inventory asks", expected=True, seen=size >= claim["disk_gib"])
    yield Fact(text="clone: no lock is left", expected=None, seen=config.get("lock"))


def initialised(site: Site, host: str, _claim: dict[str, Any]) -> Facts:
    """Cloud-init has what we author, and the guest read it."""
    config = site.config(host)
    key = Path(f"{site.lab['ssh']['key']}.pub").read_text().split()[1]
    yield Fact(text="cloudinit: the user is tappaas", expected="tappaas", seen=config.get("ciuser"))
    offered = urllib.parse.unquote(config.get("sshkeys", "")).split()
    yield Fact(text="cloudinit: the drive holds the operator's key", expected=True, seen=key in offered)
    dhcp = "ip=dhcp" in config.get("ipconfig0", "").split(",")
    yield Fact(text="cloudinit: the address is asked for by DHCP", expected=True, seen=dhcp)
    accepted = (site.tree(host) / "home/tappaas/.ssh/authorized_keys").read_text().split()
    yield Fact(text="cloudinit: the guest accepts the operator's key", expected=True, seen=key in accepted)


def booted(site: Site, host: str, _claim: dict[str, Any]) -> Facts:
    """It runs, and the pinned key is the one it made itself."""
    pin = site.git("show", f"main:inventory/trust/{host}").split()
    real = (site.tree(host) / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
    yield Fact(text="boot: main pins the key that the guest made", expected=real[:2], seen=pin[:2])
    uuid = re.findall(r"uuid=([0-9a-f-]{36})", str(site.config(host)["smbios1"]))[0]
    yield Fact(text="boot: the pin names this very VM", expected=True, seen=f"uuid={uuid}" in pin)
    yield Fact(
        text="boot: it takes commands with no other key", expected="tappaas", seen=site.ssh(host, "whoami").strip()
    )


def described(site: Site, host: str, claim: dict[str, Any]) -> Facts:
    """The hardware file on main is what the guest prints now, and what the verb said it had looked at."""
    printed = site.ssh(host, "sudo", "-n", "nixos-generate-config", "--show-hardware-config")
    kept = site.git("show", f"main:nix/hardware/{host}-hw.nix")
    yield Fact(text="hardware: main holds what the guest prints", expected=printed, seen=kept)
    lines = len(kept.splitlines())
    yield Fact(text="hardware: every line of it was looked at", expected=lines, seen=claim["hardware_lines"])


def registered(site: Site, host: str, claim: dict[str, Any]) -> Facts:
    """The branch is what was approved, and the guest's own key may push to it."""
    tip = site.git("rev-parse", f"refs/heads/registration/{host}").strip()
    yield Fact(text=f"register: registration/{host} is at the approved commit", expected=claim["approved"], seen=tip)
    changed = site.git("diff-tree", "--no-commit-id", "--name-only", "-r", tip).split()
    for path in (f"nix/hosts/{host}.nix", f"nix/hardware/{host}-hw.nix", f"inventory/trust/{host}"):
        yield Fact(text=f"register: it brings {path}", expected=True, seen=path in changed)
    key = (site.tree(host) / "var/lib/fleet/id_ed25519.pub").read_text().split()[1]
    keys = (Path(site.lab["git"]["bare"]).parent / ".ssh/authorized_keys").read_text().splitlines()
    lines = [line for line in keys if key in line.split()]
    own = len(lines) == 1 and f"guest:{host}" in lines[0]
    yield Fact(text="register: the guest's own Git key is known as its own", expected=True, seen=own)


def reviewed(site: Site, _host: str, claim: dict[str, Any]) -> Facts:
    """Exactly the approved commit was merged, and the approval is on record."""
    merged = site.git("rev-list", "main").split()
    yield Fact(text=f"review: main holds {claim['approved'][:10]}", expected=True, seen=claim["approved"] in merged)
    note = site.git("notes", "--ref", "reviews", "show", claim["approved"])
    yield Fact(text="review: a note on that commit says who approved it", expected="approved by ", seen=note[:12])


ONBOARDING: tuple[Callable[[Site, str, dict[str, Any]], Facts], ...] = (
    placed,
    cloned,
    initialised,
    booted,
    described,
    registered,
    reviewed,
)


# --- facts of every host ---------------------------------------------------------------------------------------------


def built(site: Site, host: str, claim: dict[str, Any]) -> Facts:
    """The build run left a root, and behind it the system of the commit."""
    system = site.follow(host, f"/var/lib/pvenix/{claim['run']}/new")
    there = (site.tree(host) / system.lstrip("/")).is_dir() and system.startswith("/nix/store/")
    yield Fact(text="build: its result is rooted and in the store", expected=True, seen=there)
    yield Fact(
        text="build: it is of the commit on main then", expected=claim["commit"], seen=site.revision(host, system)
    )


def configured(site: Site, host: str, claim: dict[str, Any]) -> Facts:
    """Its disk is what the inventory asks for, exactly, and the VM runs on."""
    size = re.findall(r"size=(\w+)", site.config(host)["scsi0"])
    yield Fact(text="configure: its disk has the size of the inventory", expected=[f"{claim['disk_gib']}G"], seen=size)
    yield Fact(text="configure: it runs", expected="running", seen=site.vm(host)["status"])


def runs(site: Site, host: str, system: str, commit: str, verb: str) -> Facts:
    """What runs, what the profile names, what boots next, and the commit of it, as told over SSH and by the disk."""
    links = ("/run/current-system", f"{PROFILES}/system")
    told = site.ssh(host, "readlink", "-f", *links).split()
    yield Fact(text=f"{verb}: the running system and the profile", expected=[system] * 2, seen=told)
    yield Fact(text=f"{verb}: the disk says the same", expected=told, seen=[site.follow(host, link) for link in links])
    yield Fact(text=f"{verb}: the boot default is that system", expected=system, seen=site.boot_default(host)[1])
    yield Fact(text=f"{verb}: it is of commit {commit[:10]}", expected=commit, seen=site.revision(host, system))
    failed = site.ssh(host, "systemctl", "list-units", "--state=failed", "--plain", "--no-legend")
    yield Fact(text=f"{verb}: no unit has failed", expected="", seen=failed)
    fence = (site.tree(host) / "run/pvenix/fence").exists()
    yield Fact(text=f"{verb}: no attempt holds the host", expected=False, seen=fence)


def rebuilt(site: Site, host: str) -> Facts:
    """It runs the tip of main, confirmed."""
    yield from runs(site, host, site.follow(host, "/run/current-system"), site.main, "rebuild")
    checkout = (site.tree(host) / "etc/nixos/.git/HEAD").read_text().strip()
    yield Fact(text="rebuild: /etc/nixos is at that commit", expected=site.main, seen=checkout)


def went_back(site: Site, host: str, claim: dict[str, Any]) -> Facts:
    """It tried main's system, runs the one before, and answers."""
    yield from runs(site, host, claim["system"], claim["commit"], "rebuild")
    tried = [
        attempt
        for attempt in sorted((site.tree(host) / "var/lib/pvenix").iterdir())
        if (attempt / "activate.log").is_file()
        and (attempt / "activate.log").stat().st_size
        and site.revision(host, site.follow(host, f"/var/lib/pvenix/{attempt.name}/new")) == site.main
    ]
    yield Fact(text="rebuild: main's system was activated once and given up", expected=1, seen=len(tried))
    fired = [attempt.name for attempt in tried if (attempt / "fired").exists()]
    yield Fact(text="rebuild: the host went back by itself", expected=[attempt.name for attempt in tried], seen=fired)


def rolled_back(site: Site, host: str, claim: dict[str, Any]) -> Facts:
    """Exactly the named generation runs and boots."""
    link = str((site.tree(host) / PROFILES.lstrip("/") / "system").readlink())
    number = claim["generation"]
    yield Fact(text=f"rollback: generation {number} is current", expected=f"system-{number}-link", seen=link)
    entry = site.boot_default(host)[0]
    yield Fact(text="rollback: and boots next", expected=f"nixos-generation-{number}.conf", seen=entry)
    yield from runs(site, host, site.follow(host, f"{PROFILES}/system-{number}-link"), claim["commit"], "rollback")


def retired(site: Site, host: str, claim: dict[str, Any]) -> Facts:
    """The VM and its disk are gone, and the inventory is asked to say so."""
    left = [vm["vmid"] for vm in site.vms if vm.get("name") == host or vm["vmid"] == claim["vmid"]]
    yield Fact(text=f"retire: VM {claim['vmid']} is gone", expected=[], seen=left)
    yield Fact(
        text="retire: so is its disk", expected=False, seen=(site.folder / "guests" / str(claim["vmid"])).exists()
    )
    tombstone = site.git("show", f"retire/{host}:inventory/host_vars/{host}.yaml")
    yield Fact(text="retire: a branch proposes its tombstone", expected=True, seen="state: absent" in tombstone)


def kept(site: Site, host: str, path: str, text: str) -> Facts:
    """A file of the user is as it was."""
    yield Fact(text=f"data: {path} is as it was", expected=text, seen=(site.tree(host) / path.lstrip("/")).read_text())


def checks(site: Site, claims: dict[str, Any]) -> Iterator[tuple[str, Facts]]:
    """Every claim with the facts that show it."""
    for host, claim in claims["onboarded"].items():
        for check in ONBOARDING:
            yield host, check(site, host, claim)
    for host, claim in claims["configured"].items():
        yield host, configured(site, host, claim)
    for host in claims["built"]["hosts"]:
        yield host, built(site, host, claims["built"])
    for host in claims["on_main"]:
        yield host, rebuilt(site, host)
    for host, claim in claims["went_back"].items():
        yield host, went_back(site, host, claim)
    for host, claim in claims["rolled_back"].items():
        yield host, rolled_back(site, host, claim)
    for host, claim in claims["retired"].items():
        yield host, retired(site, host, claim)
    for host, files in claims["kept"].items():
        for path, text in files.items():
            yield host, kept(site, host, path, text)


def gathered(facts: Facts) -> list[Fact]:
    """The facts of one check; a check that cannot even look is a fact that does not hold."""
    found: list[Fact] = []
    try:
        found.extend(facts)
    except Exception as error:  # noqa: BLE001 - whatever keeps the check from looking, its fact is not shown to hold
        text = (getattr(error, "stderr", "") or "").strip()
        found.append(Fact(text="can be looked at", expected="an answer", seen=text or repr(error)))
    return found


def main() -> int:
    """0 when every fact holds."""
    folder, claims = Path(sys.argv[1]).resolve(), json.loads(Path(sys.argv[2]).read_text())
    with tempfile.TemporaryDirectory(prefix="pvenix-check-") as temporary, ThreadPoolExecutor(8) as pool:
        site = Site(folder, Path(temporary))
        todo = list(checks(site, claims))
        answers = list(pool.map(gathered, (facts for _, facts in todo)))
    results = [(host, fact) for (host, _), facts in zip(todo, answers, strict=True) for fact in facts]
    width = max(len(host) for host, _ in results)
    for host, fact in results:
        print(f"{'ok  ' if fact.holds else 'FAIL'}  {host:<{width}}  {fact.text}")
        if not fact.holds:
            print(f"      expected {str(fact.expected)[:200]!r}\n      seen     {str(fact.seen)[:200]!r}")
    wrong = sum(not fact.holds for _, fact in results)
    print(f"\n{len(results)} facts, {wrong} of them wrong" if wrong else f"\n{len(results)} facts, all of them hold")
    return 1 if wrong or not results else 0


if __name__ == "__main__":
    sys.exit(main())
