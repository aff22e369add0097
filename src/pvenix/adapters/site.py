"""Opens the adapters that a site's description asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from pvenix.adapters.clock import SystemClock
from pvenix.adapters.secrets import resolve
from pvenix.engine.ports import Clock, Guest, Pve, Repo
from pvenix.model.errors import UsageError
from pvenix.model.site import Cluster, Site


class Ports(TypedDict):
    """The four ports of a site; the journal belongs to a run."""

    pve: Pve
    guest: Guest
    repo: Repo
    clock: Clock


def open_ports(site: Site, *, cache: Path, author: str) -> Ports:
    """Adapters for the site's cluster, guests and repository; nothing is connected yet.

    Raises: UsageError when the site names no cluster or no repository, Refused for an unsafe secret file.
    """
    from pvenix.adapters.ssh.guest import SshGuest

    clock = SystemClock()
    return Ports(
        pve=_open_cluster(_only_cluster(site), clock),
        guest=SshGuest(),
        repo=_open_repo(site, cache, author),
        clock=clock,
    )


def _only_cluster(site: Site) -> Cluster:
    if len(site.clusters) != 1:
        raise UsageError(
            f"the site names {len(site.clusters)} clusters",
            why="this release works on one cluster at a time",
            hint="keep one entry under `clusters` in inventory/site.yaml",
        )
    return next(iter(site.clusters.values()))


def _open_cluster(cluster: Cluster, clock: Clock) -> Pve:
    from pvenix.adapters.pve.cluster import PveCluster
    from pvenix.adapters.pve.proxmox import ProxmoxerTransport

    secret = resolve(cluster.auth.token_secret, purpose=f"the secret of API token {cluster.auth.token_id}")
    transport = ProxmoxerTransport(
        endpoints=cluster.endpoints,
        token_id=cluster.auth.token_id,
        token_secret=secret.reveal(),
        ca=cluster.tls.ca,
        fingerprint=cluster.tls.fingerprint,
    )
    return PveCluster(transport, clock=clock, cluster=cluster.name, token=cluster.auth.token_id)


def _open_repo(site: Site, cache: Path, author: str) -> Repo:
    from pvenix.adapters.git.repo import GitRepo

    repository = site.repository
    if repository is None:
        raise UsageError(
            "the site names no repository",
            hint="set repository.url in inventory/site.yaml; `pvenix init --remote` makes one on a host",
        )
    return GitRepo(
        url=repository.url,
        branch=repository.branch,
        key_file=repository.key,
        host_key=repository.host_key,
        cache_dir=cache,
        author=author,
    )
