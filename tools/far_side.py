"""A running lab as it is seen without pvenix: plain git, HTTPS, OpenSSH and the guests' file trees."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

PROFILES = "/nix/var/nix/profiles"
SSH_TIMEOUT_S = 20


class Site:
    """The far side, asked in ways that share no code with pvenix."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        self.folder = folder
        self.lab: dict[str, Any] = json.loads((folder / "lab.json").read_text())
        self._temporary = temporary
        self._tls = ssl.create_default_context(cafile=self.lab["pve"]["ca"])
        self.vms: list[dict[str, Any]] = [
            {**vm, "node": node["node"]}
            for node in self.api("/nodes")
            for vm in self.api(f"/nodes/{node['node']}/qemu")
        ]
        """Asked of every node, since the cluster's own list is some seconds old."""
        self.main = self.git("rev-parse", "refs/heads/main").strip()

    def api(self, path: str) -> Any:
        """The data of a GET to the Proxmox API."""
        pve = self.lab["pve"]
        request = urllib.request.Request(  # noqa: S310 - the endpoint is https, its CA the lab's own
            f"{pve['endpoint']}/api2/json{path}",
            headers={"Authorization": f"PVEAPIToken={pve['token_id']}={pve['token_secret']}"},
        )
        with urllib.request.urlopen(request, timeout=20, context=self._tls) as answer:  # noqa: S310 - as above
            return json.load(answer)["data"]

    def git(self, *words: str) -> str:
        """The output of git in the bare repository, reading only.

        Raises: subprocess.CalledProcessError.
        """
        argv = ["git", "-C", self.lab["git"]["bare"], "-c", "safe.directory=*", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout

    def vm(self, host: str) -> dict[str, Any]:
        """The one VM with the name of `host`.

        Raises: LookupError.
        """
        found = [vm for vm in self.vms if vm.get("name") == host]
        if len(found) != 1:
            raise LookupError(f"{len(found)} VMs are called {host}")
        return found[0]

    def config(self, host: str) -> dict[str, Any]:
        """The VM's configuration as the API shows it."""
        vm = self.vm(host)
        config: dict[str, Any] = self.api(f"/nodes/{vm['node']}/qemu/{vm['vmid']}/config")
        return config

    def tree(self, host: str) -> Path:
        """The directory that is the guest's disk."""
        return self.folder / "guests" / str(self.vm(host)["vmid"])

    def ssh(self, host: str, *words: str) -> str:
        """The output of a command on the guest, which must show the key that the main branch pins.

        Raises: subprocess.CalledProcessError.
        """
        known = self._temporary / f"known-{host}"
        if not known.exists():
            key = " ".join(self.git("show", f"main:inventory/trust/{host}").split()[:2])
            known.write_text(f"{host} {key}\n")
        options = ("BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}", f"HostKeyAlias={host}")
        argv = ["ssh", "-F", self.lab["ssh"]["config"], "-o", "ConnectTimeout=10"]
        argv += [word for option in options for word in ("-o", option)] + [host, *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=SSH_TIMEOUT_S).stdout

    def follow(self, host: str, path: str) -> str:
        """`path` on the guest's disk without symbolic links; absolute links start at the guest's root."""
        root = self.tree(host)
        todo, done = _parts(path), list[str]()
        for _ in range(1000):
            if not todo:
                return "/" + "/".join(done)
            part = todo.pop(0)
            if part == "..":
                done = done[:-1]
                continue
            place = root.joinpath(*done, part)
            if not place.is_symlink():
                done.append(part)
                continue
            target = str(place.readlink())
            todo = _parts(target) + todo
            done = [] if target.startswith("/") else done
        raise OSError(f"{path} has links without end")

    def boot_default(self, host: str) -> tuple[str, str]:
        """The entry that the boot loader starts, and the system in it."""
        loader = self.tree(host) / "boot/loader"
        entry = re.findall(r"^default (\S+)$", (loader / "loader.conf").read_text(), re.MULTILINE)[0]
        return entry, re.findall(r"\binit=(\S+)/init\b", (loader / "entries" / entry).read_text())[0]

    @cache  # noqa: B019 - the site lives as long as the program
    def revision(self, host: str, system: str) -> str:
        """The commit that a system on the guest says it was built from."""
        return str(json.loads(self.ssh(host, f"{system}/sw/bin/nixos-version", "--json"))["configurationRevision"])


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
