"""A small fleet on disk for the tests of `pvenix.fleet`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SITE = """\
apiVersion: pvenix/v1
kind: Site
site: {name: test, domain: internal}
clusters:
  lab:
    endpoints: [https://pve1.mgmt.internal:8006]
    tls: {system: true}
    auth: {token_id: pvenix@pve!ci, token_secret: {env: TOKEN}}
    vmid: {range: [200, 499], step: 10, reserve: [130]}
    storage: {default: tank}
templates:
  nixos: {cluster: lab, vmid: 8100}
zones:
  mgmt: {bridge: lan, vlan: 5, cidr: 10.0.0.0/24, gateway: 10.0.0.1, dns: [10.0.0.1]}
classes:
  small: {cores: 2, memory: 4G, disk: 20G}
  gpu: {cores: 8, memory: 32G, disk: 80G, display: none}
roles:
  base: {modules: [role-base], health: [{systemd: sshd.service}]}
  web: {after: [base], machine: {memory: 6G, tags+: [web]}, health: [{tcp: 80, within: 2m}, {systemd: sshd.service}]}
  ml: {needs: {pci: 1, memory: 16G}}
"""
HOSTS = """\
all:
  children:
    core:
      hosts:
        a1: {machine: {roles: [base]}}
        a2:
"""


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Writes inventory/ below `root`: SITE and HOSTS unless `files` says otherwise."""
    for name, text in {"site.yaml": SITE, "hosts.yaml": HOSTS, **files}.items():
        path = root / "inventory" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
