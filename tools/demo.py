"""The whole path over a simulated site: onboard, review, configure, rebuild, break, roll back, retire, and a check of it all.

Drives the commands as a person would, in a temporary directory with a HOME of its own, and leaves nothing behind. Exits 1
as soon as a command ends as it should not, or when check_site finds a fact that differs from what was shown.

Usage: python -m tools.demo [--pvenix CMD]
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.stage import PATIENCE_S, Stage, Unexpected, say, staged, unwind

ROOT = Path(__file__).resolve().parent.parent
NEW = ("tappaas-litellm", "tappaas-vllm")
WANTED: dict[str, dict[str, int]] = {
    "tappaas-litellm": {"vmid": 310, "cores": 2, "memory": 4096, "disk_gib": 20},
    "tappaas-vllm": {"vmid": 320, "cores": 8, "memory": 32768, "disk_gib": 80},
}
"""What the inventory asks for: the classes small and gpu of inventory/site.yaml, the VM ids of host_vars."""
BREAKS, ROLLS_BACK, LEAVES = "nix-cache01", "dns01", "docker01"
PROFILE = "/nix/var/nix/profiles/system"
DATA = ("/var/lib/ledger", "/home/tappaas/notes")
"""Files of the users of a host, which nothing here may touch."""


def play(stage: Stage) -> None:
    """The demo.

    Raises: Unexpected.
    """
    say("title", "A fleet of six hosts on a simulated Proxmox cluster; two of them are lines in the inventory so far")
    stage.run("validate")
    stage.run("status")
    for path in DATA:
        stage.ssh(ROLLS_BACK, *writer(path), text=data(path))

    claims: dict[str, Any] = {"onboarded": onboard(stage)}
    claims["configured"] = enlarge(stage)
    claims["built"] = rebuild(stage)
    claims["went_back"] = break_one(stage, claims["built"]["commit"])
    claims["rolled_back"] = roll_back(stage, claims["built"]["commit"])
    claims["retired"] = retire(stage)
    hosts = [*stage.described["guests"], *NEW]
    claims["on_main"] = [host for host in hosts if host not in (BREAKS, ROLLS_BACK, LEAVES)]
    claims["built"]["hosts"] = [host for host in hosts if host != LEAVES]
    claims["kept"] = {ROLLS_BACK: {path: data(path) for path in DATA}}
    stage.run("status")

    say("title", "What was shown, looked at without pvenix: plain git, HTTPS, ssh and the guests' disks")
    check(stage, claims)


def onboard(stage: Stage) -> dict[str, Any]:
    """Two new machines, from the template to main and to the system that main describes; returns what was claimed."""
    say(
        "title",
        "Onboard two hosts: place, clone 8100, cloud-init, boot, pin, hardware, registration branch; then review",
    )
    both = ":".join(NEW)
    stage.run("run", "playbooks/onboard.yaml", "-l", both, expect=3)
    claims: dict[str, Any] = {host: dict(WANTED[host]) for host in NEW}
    for host, said in last_words(stage).items():
        claims[host]["node"] = said.get("place", "").partition(",")[0]
        lines = said.get("hardware", "").partition(" ")[0]
        claims[host]["hardware_lines"] = int(lines) if lines.isdigit() else 0
    stage.run("review", "list")
    for host in NEW:
        branch = stage.tool("git", "ls-remote", "origin", f"refs/heads/registration/{host}", shown=False)
        claims[host]["approved"] = branch.partition("\t")[0]
    stage.run("review", "show", NEW[0])
    stage.run("review", "approve", NEW[0], claims[NEW[0]]["approved"], "-m", "looks right", "--merge")
    stage.run("review", "approve", NEW[1], claims[NEW[1]]["approved"], "-m", "the card is the right one")

    say("title", "Both are approved, one is merged: the same playbook goes on from there")
    stage.run("run", "playbooks/onboard.yaml", "-l", both)
    return claims


def enlarge(stage: Stage) -> dict[str, Any]:
    """A larger disk for a host that runs; returns what was claimed."""
    host, size = NEW[0], 48
    say("title", f"A larger disk for {host}: plan says what is to be done, and configure does that alone")
    stage.commit(
        "machine:", f"machine:\n  disk: {size}G", f"Larger disk for {host}", path=f"inventory/host_vars/{host}.yaml"
    )
    stage.run("plan", host, expect=3)
    stage.run("configure", host)
    return {host: {"disk_gib": size}}


def rebuild(stage: Stage) -> dict[str, Any]:
    """A change for everybody, built first and activated everywhere at once; returns what was claimed."""
    say("title", "A commit on main: build it everywhere, then activate it on all hosts at once")
    commit = stage.commit("[ pkgs.git ]", "[\n    pkgs.git\n    pkgs.htop\n  ]", "Add htop")
    stage.run("build", "all")
    run = stage.ask("runs", "list", "-n", "1")["runs"][0]["run"]
    stage.run("rebuild", "all")
    return {"run": run, "commit": commit}


def break_one(stage: Stage, before: str) -> dict[str, Any]:
    """A new system that closes port 22 on one host, which runs the commit `before`; returns what was claimed."""
    say("title", f"The next system closes port 22 on {BREAKS}: it goes back by itself, the others go on")
    system = stage.ssh(BREAKS, "readlink", "-f", "/run/current-system")
    stage.commit("pkgs.htop", "pkgs.htop\n    pkgs.tmux", "Add tmux")
    stage.run("lab", "fault", str(stage.lab), "port-closed-by-new-system", "--host", BREAKS)
    stage.run("rebuild", "all", "--set", "update.confirm_timeout=10s", expect=6)
    return {BREAKS: {"system": system, "commit": before}}


def roll_back(stage: Stage, before: str) -> dict[str, Any]:
    """One host to the generation of the commit `before`, by its number; returns what was claimed."""
    say("title", f"Roll {ROLLS_BACK} back to a named generation; data outside of the store stays")
    stage.run("generations", ROLLS_BACK)
    listed = stage.ssh(ROLLS_BACK, "sudo", "-n", "nix-env", "-p", PROFILE, "--list-generations").splitlines()
    number = int(listed[-2].split()[0])
    stage.run("rollback", ROLLS_BACK, "--to", str(number), "--yes")
    return {ROLLS_BACK: {"generation": number, "commit": before}}


def retire(stage: Stage) -> dict[str, Any]:
    """One host gone for good; returns what was claimed."""
    say("title", f"Retire {LEAVES}: its name has to be typed")
    vmid = stage.described["guests"][LEAVES]["vmid"]
    stage.run("retire", LEAVES, "--confirm", LEAVES)
    return {LEAVES: {"vmid": vmid}}


def last_words(stage: Stage) -> dict[str, dict[str, str]]:
    """What each step of the last run said at its end, by host and verb."""
    document = stage.ask("runs", "show", "last")
    return {host["host"]: {step["verb"]: step["summary"] for step in host["steps"]} for host in document["hosts"]}


def writer(path: str) -> Sequence[str]:
    """The command that writes its input to `path` on a guest."""
    command = ("dd", f"of={path}", "status=none")
    return command if path.startswith("/home/") else ("sudo", "-n", *command)


def data(path: str) -> str:
    """What stands in a file of the users."""
    return f"{path}: not to be touched by anybody else\n"


def check(stage: Stage, claims: dict[str, Any]) -> None:
    """Let the checker, which knows nothing of pvenix, look at every claim.

    Raises: Unexpected.
    """
    file = stage.folder / "claims.json"
    file.write_text(json.dumps(claims, indent=1))
    argv = [sys.executable, "-m", "tools.check_site", str(stage.lab), str(file)]
    if subprocess.run(argv, cwd=ROOT, env=stage.env, check=False, timeout=PATIENCE_S).returncode:
        raise Unexpected("the site is not as it was shown")


def main() -> int:
    """0 when everything was as it should be, 130 after ctrl-c."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pvenix", default="", metavar="CMD", help="the command line to demonstrate")
    given = shlex.split(parser.parse_args().pvenix)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, unwind)
    began = time.monotonic()
    try:
        with staged(given or [sys.executable, "-m", "pvenix"]) as stage:
            play(stage)
    except (Unexpected, subprocess.TimeoutExpired) as error:
        say("bad", f"demo: FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        say("bad", "demo: stopped; the lab is down")
        return 130
    say("title", f"demo: done in {time.monotonic() - began:.0f} s; nothing is left behind")
    return 0


if __name__ == "__main__":
    sys.exit(main())
