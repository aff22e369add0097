"""The whole path over a simulated site: onboard, review, rebuild, break, go back, roll back, retire, and a check of it all.

Drives the commands as a person would, in a temporary directory with a HOME of its own, and leaves nothing behind. Exits 1
as soon as a command ends as it should not, or when tools/check_site.py finds a fact that differs from what was shown.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 90
"""The longest that one command may take."""
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
LEAKS = ("GIT_", "NIX_", "PVENIX_", "SSH_", "XDG_")


class Unexpected(Exception):
    """A command ended as it should not; the text says which and how."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays: its directory, the program under demonstration, and the environment of a new user."""

    folder: Path
    pvenix: tuple[str, ...]
    env: dict[str, str]

    @property
    def lab(self) -> Path:
        """The simulated site."""
        return self.folder / "lab"

    @property
    def fleet(self) -> Path:
        """The operator's clone of the fleet."""
        return self.lab / "fleet"

    @property
    def described(self) -> dict[str, Any]:
        """What the lab's file says of it."""
        described: dict[str, Any] = json.loads((self.lab / "lab.json").read_text())
        return described

    def run(self, *words: str, expect: int = 0, anywhere: bool = False) -> None:
        """Run a pvenix command in the fleet and show it and its output as it comes.

        Raises: Unexpected when it ends with another code than `expect`.
        """
        say("bold", "$ pvenix " + shlex.join(words).replace(str(self.folder), "DIR"))
        process = subprocess.Popen(
            [*self.pvenix, *words], cwd=self.folder if anywhere else self.fleet, env=self.env, stdin=subprocess.DEVNULL
        )
        try:
            code = process.wait(PATIENCE_S)
        except BaseException:  # a time-out or ctrl-c: it gets the chance to stop what it does
            stop(process)
            raise
        if code != expect:
            raise Unexpected(f"`pvenix {shlex.join(words)}` ended with {code}, not with {expect}")
        if expect:
            say("dim", f"(exit code {code}, as it should be)")

    def ask(self, *words: str) -> Any:
        """The JSON document that a pvenix command prints; for the claims, so not shown.

        Raises: Unexpected.
        """
        return json.loads(self.tool(*self.pvenix, *words, "-o", "json", shown=False))

    def tool(self, *words: str, text: str = "", shown: bool = True) -> str:
        """The output of a program, started in the fleet.

        Raises: Unexpected.
        """
        if shown:
            say("bold", "$ " + shlex.join(words).replace(str(self.folder), "DIR"))
        done = subprocess.run(
            words, cwd=self.fleet, env=self.env, input=text, capture_output=True, text=True, check=False,
            timeout=PATIENCE_S,
        )  # fmt: skip
        if done.returncode:
            raise Unexpected(f"`{shlex.join(words)}` ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()

    def ssh(self, host: str, *words: str, text: str = "") -> str:
        """The output of a command on a guest, by plain OpenSSH; not shown."""
        return self.tool("ssh", "-F", str(self.lab / "ssh_config"), host, *words, text=text, shown=False)

    def commit(self, old: str, new: str, message: str) -> str:
        """Change a line of nix/common.nix on main, as anybody would; returns the commit."""
        self.tool("git", "pull", "--quiet", "--ff-only")
        file = self.fleet / "nix/common.nix"
        text = file.read_text()
        if old not in text:
            raise Unexpected(f"nix/common.nix does not hold {old!r}")
        file.write_text(text.replace(old, new, 1))
        self.tool("git", "commit", "--quiet", "--all", "--message", message)
        self.tool("git", "push", "--quiet")
        return self.tool("git", "rev-parse", "HEAD", shown=False)


def say(style: str, text: str) -> None:
    """Print a line of the demo itself."""
    codes = {"title": "\n\033[1;36m", "bold": "\033[1m", "dim": "\033[2m", "bad": "\033[1;31m"}
    plain = "\n" if style == "title" else ""
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(f"{codes[style]}{text}\033[0m" if colour else f"{plain}{text}", flush=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a command: asked twice, then killed."""
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.send_signal(number)
            process.wait(5)
            return


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
        claims[host]["hardware_lines"] = int(said.get("hardware", "").partition(" ")[0] or 0)
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
    stage.run("status", BREAKS)
    return {BREAKS: {"system": system, "commit": before}}


def roll_back(stage: Stage, before: str) -> dict[str, Any]:
    """One host to the generation of the commit `before`, by its number; returns what was claimed."""
    say("title", f"Roll {ROLLS_BACK} back to a named generation; data outside of the store stays")
    stage.run("generations", ROLLS_BACK)
    listed = stage.ssh(ROLLS_BACK, "sudo", "-n", "nix-env", "-p", PROFILE, "--list-generations").splitlines()
    number = int(listed[-2].split()[0])
    stage.run("rollback", ROLLS_BACK, "--to", str(number))
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


@contextlib.contextmanager
def staged(pvenix: Sequence[str]) -> Iterator[Stage]:
    """A stage with a running lab; afterwards the lab is down and its directory gone.

    Raises: Unexpected when a process of it is left.
    """
    folder = Path(tempfile.mkdtemp(prefix="pvenix-demo-")).resolve()
    env = {name: value for name, value in os.environ.items() if not name.startswith(LEAKS)}
    env |= {"HOME": str(folder / "home"), "GIT_CONFIG_NOSYSTEM": "1", "PVENIX_OPERATOR": "demo"}
    (folder / "home").mkdir()
    stage = Stage(folder, tuple(pvenix), env)
    try:
        stage.run("lab", "up", str(stage.lab), "--speed", "2", anywhere=True)
        yield stage
    finally:
        if (stage.lab / "lab.json").exists():
            stage.run("lab", "down", str(stage.lab), anywhere=True)
        left = processes_of(folder)
        shutil.rmtree(folder, ignore_errors=True)
        if left:
            raise Unexpected("processes are left behind: " + "; ".join(left))


def processes_of(folder: Path) -> list[str]:
    """Processes that were started for the demo's directory: by their arguments, and by their HOME where /proc tells."""
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    found = {line.split()[0]: line.strip() for line in listing.splitlines() if str(folder) in line}
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # ended meanwhile, or somebody else's
            if f"HOME={folder}/home".encode() in environ.read_bytes().split(b"\0"):
                found.setdefault(environ.parent.name, f"{environ.parent.name} {(environ.parent / 'comm').read_text()}")
    return list(found.values())


def unwind(number: int, _frame: object) -> NoReturn:
    """End as ctrl-c does."""
    raise KeyboardInterrupt(number)


def main() -> int:
    """0 when everything was as it should be, 130 after ctrl-c."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pvenix", default="", metavar="CMD", help="the command line to demonstrate")
    given = shlex.split(parser.parse_args().pvenix)
    signal.signal(signal.SIGTERM, unwind)
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
