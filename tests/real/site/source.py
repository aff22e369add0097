"""The fleet of these sites: the starter fleet with systems that are built without a network, and addresses of its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parents[1]
_REPOSITORY: Final = _HERE.parents[1]
_ADDRESSES: Final = {
    "inventory/hosts.yaml": ("network: {zone: srvHome}", "network: {zone: srvHome, address: 10.2.10.21/24}"),
    "inventory/host_vars/tappaas-litellm.yaml": ("machine:\n", "machine:\n  network: {address: 10.2.20.31/24}\n"),
    "inventory/host_vars/tappaas-vllm.yaml": ("machine:\n", "machine:\n  network: {address: 10.2.20.32/24}\n"),
}
"""There is no DHCP server here."""


def make_source(folder: Path, *, web: int = 0) -> Path:
    """A fleet at `folder` with as many hosts web-01 … beside those of the starter fleet."""
    for name in ("inventory", "playbooks", "nix"):
        shutil.copytree(_REPOSITORY / name, folder / name)
    shutil.copytree(_HERE / "nixos", folder / "nix", dirs_exist_ok=True)
    (folder / "nix/flake.lock").unlink()
    (folder / "nix/nixos/tools").mkdir()
    shutil.copy("/bin/busybox", folder / "nix/nixos/tools/busybox")
    for name, (old, new) in _ADDRESSES.items():
        text = (folder / name).read_text()
        assert old in text, f"{name} holds no {old!r}"
        (folder / name).write_text(text.replace(old, new, 1))
    if web:
        with (folder / "inventory/hosts.yaml").open("a") as hosts:
            hosts.write("    web:\n      hosts:\n" + "".join(_web(number) for number in range(1, web + 1)))
    return folder


def _web(number: int) -> str:
    network = f"{{zone: srvHome, address: 10.2.10.{100 + number}/24}}"
    return f"        web-{number:02d}: {{machine: {{class: small, roles: [base], network: {network}}}}}\n"
