"""`pvenix doctor`: from what this machine has, over what the endpoints show, to what the login may do."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pvenix.lifecycle import doctor
from pvenix.model import privileges
from pvenix.model.doctor import Check, Contact, Report, Verdict
from pvenix.model.errors import ExitCode, PvenixError
from pvenix.model.privileges import Level
from pvenix.model.secretref import SecretRef
from pvenix.model.site import Cluster

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pvenix.fleet.load import Fleet
    from pvenix.lifecycle.world import World


def pveum_lines(fleet: Fleet, level: Level, release: int) -> tuple[str, ...]:
    """The lines that make a user, its token and all that it needs, for a site that nobody can log in to yet.

    Raises: UsageError when the site has no cluster, or several.
    """
    from pvenix.adapters.site import only_cluster

    cluster = only_cluster(fleet.site)
    uses = privileges.uses(fleet.site, cluster, fleet.hosts.values())
    return doctor.offline_lines(fleet.site, cluster, uses, level, release)


async def examine(fleet: Fleet, level: Level, open_world: Callable[[], Awaitable[World]]) -> Report:
    """Everything that can be looked at. A certificate that is not accepted ends the talk with that endpoint.

    Raises: UsageError when the site has no cluster, or several.
    """
    from pvenix.adapters.pve.contact import look
    from pvenix.adapters.site import only_cluster

    cluster = only_cluster(fleet.site)
    async with asyncio.TaskGroup() as group:
        looks = [group.create_task(look(endpoint, cluster.tls)) for endpoint in cluster.endpoints]
    contacts = [task.result() for task in looks]
    checks = [*_files(fleet, cluster), *doctor.contacts_seen(contacts, cluster)]
    if not any(_usable(contact) for contact in contacts):
        return Report(cluster=cluster.name, level=level, version="", checks=(*checks, _not_asked(contacts)))
    try:
        world = await open_world()
    except PvenixError as error:
        checks.append(doctor.failed(f"login {cluster.auth.id}", error))
        lines = pveum_lines(fleet, level, doctor.RELEASES[-1])
        return Report(cluster=cluster.name, level=level, version="", checks=tuple(checks), pveum=lines)
    found = doctor.Examination(world, cluster, level, checks)
    return await found.report()


def _usable(contact: Contact) -> bool:
    return not contact.problem and not contact.distrust


def _not_asked(contacts: list[Contact]) -> Check:
    why = "no endpoint answers" if all(contact.problem for contact in contacts) else "no endpoint proved its identity"
    return Check(subject="login", verdict=Verdict.SKIPPED, found=f"{why}: nothing was sent")


def _files(fleet: Fleet, cluster: Cluster) -> list[Check]:
    """The files of secrets and keys that the site names: there, and nobody else's to read."""
    site, named = fleet.site, []
    for what, reference in (("the token's secret", cluster.auth.token_secret), ("the password", cluster.auth.password)):
        named += [(what, path)] if (path := _file_of(reference)) else []
    named += [("the SSH key", site.access.key)] if site.access.key else []
    repository_key = site.repository.key if site.repository else None
    named += [("the repository's key", repository_key)] if repository_key not in (None, site.access.key) else []
    named += [("the CA", cluster.tls.ca)] if cluster.tls.ca else []
    return [_file(what, path) for what, path in dict.fromkeys(named)]


def _file_of(reference: SecretRef | None) -> Path | None:
    """The file that holds the secret, or opens it."""
    if reference is None:
        return None
    return reference.age.identity if reference.age else reference.file


def _file(what: str, path: Path) -> Check:
    subject = f"{what} {path}"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        advice = f"ssh-keygen -t ed25519 -f {path}" if "key" in what else "correct its path in inventory/site.yaml"
        return doctor.problem(subject, error.strerror or "cannot be read", advice, code=ExitCode.USAGE)
    if mode & 0o077 and what != "the CA":
        return doctor.problem(
            subject, f"can be read by others: mode {mode:o}", f"chmod 600 {path}", code=ExitCode.REFUSED
        )
    return doctor.ok(subject, f"mode {mode:o}")
