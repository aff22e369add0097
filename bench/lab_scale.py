"""How a large simulated site comes up and is rebuilt: seconds and megabytes, of one go.

Run as `make bench`, or `python -m bench.lab_scale [HOSTS...]` (100 and 500), on an idle machine; the figures are for
people and no test asserts them. Every host is a guest with an SSH port of its own. The first rebuild-all follows a commit
that changes every host, the second finds nothing to do; above ALL hosts only every tenth is rebuilt.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PVENIX = str(Path(sys.executable).parent / "pvenix")
ROOT = Path(__file__).parent.parent
ALL = 100
MODULE = "nix/modules/role-base.nix"


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A running site and the environment of the commands that use it."""

    folder: Path
    pid: int
    seconds: float
    environment: Mapping[str, str]

    @property
    def fleet(self) -> Path:
        """The operator's clone."""
        return self.folder / "fleet"


def main() -> None:
    """Prints a line for each number of hosts."""
    for hosts in [int(word) for word in sys.argv[1:]] or [100, 500]:
        with lab(hosts) as running:
            before = megabytes(running.pid)
            change(running)
            limit = [] if hosts <= ALL else ["-l", "web-*0"]
            first, second = (rebuilt(running, limit) for _ in range(2))
            looked = pvenix(running, "status", *limit)
            print(
                f"{hosts} hosts: ready in {running.seconds:.2f} s, {before:.0f} MB;"
                f" rebuild-all{' of every tenth' if limit else ''} {first[0]:.1f} s ({first[1]}),"
                f" again {second[0]:.1f} s ({second[1]}), status {looked[0]:.1f} s;"
                f" {megabytes(running.pid):.0f} MB afterwards"
            )


@contextmanager
def lab(hosts: int) -> Iterator[Lab]:
    """A site of so many hosts beside the starter fleet's."""
    with tempfile.TemporaryDirectory(prefix="pvenix-bench-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary) / "lab"
        states = {f"XDG_{kind}_HOME": f"{temporary}/{kind.lower()}" for kind in ("STATE", "CACHE", "CONFIG")}
        environment = {"PATH": os.environ["PATH"], "HOME": temporary, **states}
        began = time.perf_counter()
        words = [PVENIX, "lab", "up", str(folder), "--hosts", str(hosts), "--from", str(ROOT)]
        subprocess.run(words, env=environment, check=True, capture_output=True)
        seconds = time.perf_counter() - began
        pid = json.loads((folder / "lab.json").read_text())["pid"]
        try:
            yield Lab(folder=folder, pid=pid, seconds=seconds, environment=environment)
        finally:
            subprocess.run([PVENIX, "lab", "down", str(folder)], env=environment, check=True, capture_output=True)


def megabytes(pid: int) -> float:
    """The memory of a process that is its own (PSS), in MB. Raises: FileNotFoundError where there is no procfs."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def change(running: Lab) -> None:
    """Push a commit that changes the system of every host."""
    module = running.fleet / MODULE
    module.write_text(module.read_text() + "\n# measured\n")
    for words in (["commit", "--quiet", "--all", "--message", "Change every host"], ["push", "--quiet"]):
        subprocess.run(["git", *words], cwd=running.fleet, env=dict(running.environment), check=True)


def rebuilt(running: Lab, limit: list[str]) -> tuple[float, str]:
    """Seconds of rebuild-all, and its counts."""
    seconds, said = pvenix(running, "run", "playbooks/rebuild-all.yaml", *limit)
    return seconds, said.rstrip().rpartition("\n")[2].partition(": ")[2].partition(" in ")[0]


def pvenix(running: Lab, *words: str) -> tuple[float, str]:
    """Seconds and the output of a command, which streams as it comes. Raises: RuntimeError when it fails."""
    began = time.perf_counter()
    done = subprocess.run(
        [PVENIX, *words],
        cwd=running.fleet,
        env=dict(running.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"pvenix {' '.join(words)} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return time.perf_counter() - began, done.stdout


if __name__ == "__main__":
    main()
