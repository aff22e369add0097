"""Opens the adapters that a site's description asks for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TypedDict

from pvenix.adapters.clock import SystemClock
from pvenix.adapters.pve.login import Ask, Login, TicketLogin, TokenLogin
from pvenix.adapters.secrets import resolve
from pvenix.engine.ports import Clock, Guest, Pve, Repo
from pvenix.model.errors import Refused, UsageError
from pvenix.model.secret import Secret
from pvenix.model.site import Auth, Cluster, Site


class Ports(TypedDict):
    """The four ports of a site; the journal belongs to a run."""

    pve: Pve
    guest: Guest
    repo: Repo
    clock: Clock


def open_ports(site: Site, *, cache: Path, author: str, ask: Ask | None = None) -> Ports:
    """Adapters for the site's cluster, guests and repository; nothing is connected yet.

    `ask` gets a secret from the person at the terminal, None when there is nobody.

    Raises: UsageError when the site names no cluster or no repository, Refused for an unsafe secret file.
    """
    clock = SystemClock()
    # Before asyncssh and GitPython are imported, which start programs even then: a secret's variable is taken out first.
    pve = _open_cluster(only_cluster(site), clock, ask)
    from pvenix.adapters.ssh.guest import SshGuest

    return Ports(
        pve=pve,
        guest=SshGuest(),
        repo=_open_repo(site, cache, author),
        clock=clock,
    )


def only_cluster(site: Site) -> Cluster:
    """The one cluster of the site.

    Raises: UsageError when there is none, or more than one.
    """
    if len(site.clusters) != 1:
        raise UsageError(
            f"the site names {len(site.clusters)} clusters",
            why="this release works on one cluster at a time",
            hint="keep one entry under `clusters` in inventory/site.yaml",
        )
    return next(iter(site.clusters.values()))


def _open_cluster(cluster: Cluster, clock: Clock, ask: Ask | None) -> Pve:
    from pvenix.adapters.pve.cluster import PveCluster
    from pvenix.adapters.pve.proxmox import ProxmoxerTransport

    transport = ProxmoxerTransport(
        endpoints=cluster.endpoints,
        login=_login(cluster.auth, clock, ask),
        ca=cluster.tls.ca,
        fingerprint=cluster.tls.fingerprint,
    )
    return PveCluster(transport, clock=clock, cluster=cluster.name, token=cluster.auth.id)


def _login(auth: Auth, clock: Clock, ask: Ask | None) -> Login:
    if auth.token_secret is not None:
        secret = resolve(auth.token_secret, purpose=f"the secret of API token {auth.token_id}")
        return TokenLogin(auth.token_id, secret, ask)

    async def nobody(question: str) -> Secret:
        raise Refused(
            f"nobody can be asked for the {question}",
            why="there is no terminal, or --no-input was given",
            hint="name the password in inventory/site.yaml (password: {env: …}), use an API token, or run it from a "
            "terminal; a run that stopped here goes on with `pvenix resume last`",
            code="PVX0547",
        )

    person, reference = ask or nobody, auth.password
    if reference is None:
        return TicketLogin(auth.username, person, person, clock)

    async def stored(question: str) -> Secret:
        return await asyncio.to_thread(resolve, reference, purpose=f"the {question}")

    return TicketLogin(auth.username, stored, person, clock, tries=1)


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
