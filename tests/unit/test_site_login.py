"""Who logs in to a cluster, as site.yaml says it: a token, or a user whose password is kept elsewhere or typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.adapters.pve.login import TokenLogin
from pvenix.adapters.site import open_ports
from pvenix.fleet.load import load_fleet
from pvenix.fleet.starter import starter
from pvenix.model.errors import InvalidInput, Refused, UsageError
from pvenix.model.secret import Secret
from pvenix.model.secretref import SecretRef
from pvenix.model.site import Auth

OLD = """    auth:
      token_id: pvenix@pve!ci
      token_secret: {env: PVENIX_PVE_TOKEN}       # or {file: ~/.config/pvenix/token}, {command: [pass, show, pve]}, …: docs/secrets.md
"""


def fleet_with(folder: Path, auth: str) -> Path:
    """The starter's inventory with another login."""
    inventory = folder / "inventory"
    inventory.mkdir()
    for path in (starter() / "inventory").rglob("*"):
        if path.is_file():
            target = inventory / path.relative_to(starter() / "inventory")
            target.parent.mkdir(exist_ok=True, parents=True)
            target.write_bytes(path.read_bytes())
    site = inventory / "site.yaml"
    assert OLD in site.read_text()
    site.write_text(site.read_text().replace(OLD, f"    auth: {auth}\n"))
    return folder


@pytest.mark.parametrize(
    ("auth", "wanted"),
    [
        ("{username: ops@pam}", Auth(username="ops@pam")),
        (
            "{username: ops@pam, password: {env: PW}}",
            Auth(username="ops@pam", password=SecretRef(env="PW")),
        ),
        (
            "{token_id: a@pve!b, token_secret: {env: T}}",
            Auth(token_id="a@pve!b", token_secret=SecretRef(env="T")),
        ),
    ],
)
def test_a_login_is_a_token_or_a_user(tmp_path: Path, auth: str, wanted: Auth) -> None:
    [cluster] = load_fleet(fleet_with(tmp_path, auth)).site.clusters.values()
    assert cluster.auth == wanted
    assert cluster.auth.id == (wanted.token_id or wanted.username)


@pytest.mark.parametrize(
    "auth",
    [
        "{}",
        "{token_id: a@pve!b}",
        "{password: {env: PW}}",
        "{username: ops@pam, token_id: a@pve!b, token_secret: {env: T}}",
        "{username: ops}",
        "{username: ops@pam, password: hunter2}",
    ],
)
def test_half_a_login_or_two_of_them_are_refused(tmp_path: Path, auth: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load_fleet(fleet_with(tmp_path, auth))
    shown = [str(finding) for finding in refused.value.findings]
    assert any("clusters.lab.auth" in one for one in shown), shown
    assert "hunter2" not in str(shown)


async def test_without_a_terminal_a_password_that_is_typed_is_refused_with_what_else_there_is(tmp_path: Path) -> None:
    site = load_fleet(fleet_with(tmp_path, "{username: ops@pam}")).site
    ports = open_ports(site, cache=tmp_path / "cache", author="A <a@example.org>")
    with pytest.raises(Refused) as refused:
        await ports["pve"].version()
    assert refused.value.code == "PVX0547"
    assert "pvenix resume last" in refused.value.hint
    assert "API token" in refused.value.hint
    await ports["pve"].close()


@pytest.mark.parametrize("text", ["canary-one\ncanary-two", "canary one", "canary\x00one", "canary-\u00e4"])
def test_a_token_of_more_than_one_word_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(UsageError, match="is no token's") as said:
        TokenLogin("pvenix@pve!lab", Secret(text))
    assert "canary" not in f"{said.value}{said.value.hint}"
