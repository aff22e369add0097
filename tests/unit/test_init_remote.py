"""`init --remote` says what is missing before it connects anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.engine.trust import Pin, TrustStore
from pvenix.fleet.load import Fleet, load_fleet
from pvenix.init_remote import init_remote
from pvenix.model.errors import LocalResource, Refused, UsageError
from pvenix.model.git_url import GitUrl
from tests.unit import fleet_files

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIn0fj5Pjg8au5M21Wiegz2quns89BiN2ruXqXqe2RSy"
URL = "ssh://git@a1.mgmt.internal:2222/srv/git/fleet.git"
HOSTS = """\
all:
  hosts:
    a1: {machine: {roles: [base]}}
    a2: {machine: {self: true}}
"""


def fleet_with(root: Path, repository: str) -> Fleet:
    site = f"{fleet_files.SITE}access: {{key: {{file: {root}/none}}}}\n{repository}\n"
    return load_fleet(fleet_files.write(root, {"site.yaml": site, "hosts.yaml": HOSTS}))


def repository(root: Path, *more: str, url: str = URL) -> str:
    return f"repository: {{{', '.join([f'url: {url!r}', f'key: {{file: {root}/none}}', *more])}}}"


async def init(fleet: Fleet, root: Path) -> None:
    trust = TrustStore(fleet=root, local=root / "trust")
    await init_remote(fleet, trust=trust, cache=root / "cache", say=lambda _text: None)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (URL, GitUrl(user="git", address="a1.mgmt.internal", port=2222, path="/srv/git/fleet.git")),
        ("ssh://git@10.0.0.30/srv/git/a.git", GitUrl(user="git", address="10.0.0.30", port=22, path="/srv/git/a.git")),
        ("ssh://git@[fd00::1]:22/srv/a", GitUrl(user="git", address="fd00::1", port=22, path="/srv/a")),
    ],
)
def test_a_repository_is_where_its_url_says(url: str, place: GitUrl) -> None:
    assert GitUrl.parse(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "/srv/git/fleet.git", "file:///srv/git/fleet.git", "https://example.org/srv/fleet.git", "ssh://host/srv/git/a.git",
        "ssh://git@host/fleet.git", "ssh://git@host/srv/git/a b.git", "ssh://git@host/srv/../etc", "ssh://git@host/srv/git/",
        'ssh://git@host/srv/git/a".git', "ssh://git@host/srv/$HOME", "ssh://git@host/~/fleet.git", "ssh://git@host/srv/-x",
    ],
)  # fmt: skip
def test_a_repository_that_cannot_be_made_or_served_safely_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="does not say on which host"):
        GitUrl.parse(url)


async def test_a_host_whose_key_nobody_knows_is_not_asked(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        await init(fleet_with(tmp_path, repository(tmp_path)), tmp_path)
    assert caught.value.code == "PVX0726"
    assert "ssh-keyscan -t ed25519 -p 2222 a1.mgmt.internal" in caught.value.hint
    assert not (tmp_path / ".git").exists()


@pytest.mark.parametrize(
    ("url", "host"),
    [(URL, "a1"), ("ssh://git@127.0.0.1:2222/srv/git/fleet.git", "a2")],
    ids=["by its name", "the one that keeps the repository"],
)
async def test_the_pin_of_the_inventory_host_stands_in_for_the_key(tmp_path: Path, url: str, host: str) -> None:
    fleet = fleet_with(tmp_path, repository(tmp_path, url=url))
    (tmp_path / "inventory/trust").mkdir()
    (tmp_path / "inventory/trust" / host).write_text(Pin(key=KEY).line(host))
    with pytest.raises(LocalResource, match="SSH key"):  # it went on to the key that logs in, which is not there
        await init(fleet, tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "where its repository is"),
        (f"repository: {{url: {URL!r}}}", "which key opens it"),
        (f"repository: {{url: {URL!r}, key: {{file: /none}}, branch: trunk}}", "not main"),
    ],
    ids=["no repository", "no key", "another branch"],
)
async def test_what_the_site_must_say_is_asked_for_first(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        await init(fleet_with(tmp_path, text), tmp_path)
