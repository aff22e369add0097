"""`pvenix init --remote`: the bare repository that site.yaml names, made on its host, and the fleet's directory its clone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from pvenix.adapters.git.checkout import Checkout
from pvenix.adapters.git.repo import GitRepo
from pvenix.adapters.ssh.guest import SshGuest
from pvenix.adapters.ssh.login import public_line
from pvenix.engine.ports import Target
from pvenix.engine.trust import TrustStore
from pvenix.fleet.load import Fleet
from pvenix.fleet.starter import starter
from pvenix.lifecycle.founding import Founded, Founding, found
from pvenix.lifecycle.gitkeys import host_at
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.state import looking_at
from pvenix.model.errors import Refused, UsageError
from pvenix.model.git_url import GitUrl
from pvenix.model.initialised import Initialised
from pvenix.model.site import Repository
from pvenix.operator import author

MESSAGE: Final = "Add the pvenix fleet"
_GUARDED: Final = "main"
"""The branch that nix/files/fleet-update-hook protects."""


async def init_remote(fleet: Fleet, *, trust: TrustStore, cache: Path, say: Callable[[str], None]) -> Initialised:
    """Make the repository and push the fleet to it; what is done already is left as it is.

    `say` gets every command that changes the host, before it is sent. Raises: UsageError, Refused, Unreachable,
    RemoteFailure, OutcomeUnknown, LocalResource.
    """
    repository = _repository(fleet)
    place = GitUrl.parse(repository.url)
    key = _host_key(fleet, repository, place, trust)
    checkout = Checkout(fleet.root, url=repository.url, branch=repository.branch, author=author(), home=cache)
    await checkout.examine()
    founded = await _found(fleet, repository, place, key, say)
    repo = GitRepo(
        url=repository.url, branch=repository.branch, cache_dir=cache, author=author(), key_file=repository.key,
        host_key=key,
    )  # fmt: skip
    try:
        tip = await repo.fetch_any()
        commit = await checkout.join(repo.mirror, tip, message=MESSAGE)
        if commit != tip:
            say(f"git push {repository.url} {commit[:10]}:refs/heads/{repository.branch}")
            await repo.publish(checkout.repository, commit, expect=tip)
            await checkout.pushed(commit)
    finally:
        await repo.close()
    advice = () if repository.host_key else (f'set repository.host_key in inventory/site.yaml to "{key}"',)
    return Initialised(tip=commit, changed=founded.changed or commit != tip, advice=advice)


def _repository(fleet: Fleet) -> Repository:
    repository = fleet.site.repository
    if repository is None or repository.key is None:
        raise UsageError(
            "the site does not say where its repository is and which key opens it",
            hint="set repository.url and repository.key in inventory/site.yaml",
        )
    if repository.branch != _GUARDED:
        raise UsageError(
            f"repository.branch is {repository.branch}, not {_GUARDED}",
            why="the update hook guards the branch of that name only",
            hint=f"set repository.branch: {_GUARDED} in inventory/site.yaml",
        )
    return repository


def _host_key(fleet: Fleet, repository: Repository, place: GitUrl, trust: TrustStore) -> str:
    """The key that the repository's host must prove to have.

    Raises: Refused when nobody has said which one that is.
    """
    if repository.host_key:
        return repository.host_key
    name = host_at(fleet, place.address)
    pin = trust.get(name) if name else None
    if pin is not None:
        return pin.key
    port = "" if place.port == 22 else f" -p {place.port}"
    raise Refused(
        f"the key of {place.address}, which is to keep the repository, is not known",
        why="the first connection would trust whoever answers",
        hint=f"run `ssh-keyscan -t ed25519{port} {place.address} | tee KEY | ssh-keygen -lf -` here and "
        "`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on that machine's own console; when both show the same "
        "fingerprint, write the key in the file KEY to repository.host_key in inventory/site.yaml",
        code="PVX0726",
    )


async def _found(fleet: Fleet, repository: Repository, place: GitUrl, key: str, say: Callable[[str], None]) -> Founded:
    """The repository on its host."""
    access = fleet.site.access
    if access.key is None or repository.key is None:
        raise UsageError("the site names no SSH key", hint="set access.key in inventory/site.yaml")
    target = Target(
        host=place.address, address=place.address, port=place.port, user=access.user, host_key=key,
        key_file=str(access.key), pinned_in="repository.host_key in inventory/site.yaml",
    )  # fmt: skip

    def show(_channel: str, text: str, writes: bool) -> None:  # noqa: FBT001 - the shape that Step asks for
        if writes:
            say(f"{place.address}: {text}")

    wanted = Founding(
        path=place.path, branch=repository.branch, hook=_program(fleet.root, "fleet-update-hook"),
        serve=_program(fleet.root, "fleet-git-serve"), operator_key=public_line(str(repository.key)), owner=place.user,
    )  # fmt: skip
    guest = SshGuest()
    try:
        step = replace(looking_at(place.address), show=show)
        return await found(Remote(session=await guest.session(target), step=step), wanted)
    finally:
        await guest.close()


def _program(root: Path, name: str) -> str:
    """A program of the fleet's own, or the one that pvenix ships for a fleet that has none."""
    own = root / "nix/files" / name
    return (own if own.is_file() else starter() / "nix/files" / name).read_text()
