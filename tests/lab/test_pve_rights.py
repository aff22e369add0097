"""Users, groups, roles, entries, pools and tokens, and what a caller may do with them (proxmox.md a2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from pvenix_lab.site.pve.api import answer
from pvenix_lab.site.pve.auth import TICKET_LIFE_S, Credentials
from pvenix_lab.site.pve.cluster import Pool
from pvenix_lab.site.pve.errors import PermissionDeniedError, PveError
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.permissions import Caller, check_permissions
from pvenix_lab.site.pve.rights import ROOT, Holder, Rights, User
from tests.lab.pve_support import NODE, TEMPLATE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path

    from pvenix_lab.site.pve.call import Response


def rights(**roles: str) -> Rights:
    """Rights with user u@pve, its token t and group g; `roles` are comma-separated privileges."""
    found = Rights(flavour=Flavour.PVE_8_4)
    found.roles |= {name: frozenset(text.split(",")) for name, text in roles.items()}
    found.users["u@pve"] = User(userid="u@pve", groups={"g"})
    found.groups["g"] = ""
    return found


def test_a_role_reaches_down_the_tree_only_with_propagation() -> None:
    found = rights(A="VM.Audit", B="VM.Clone")
    found.grant("/vms", Holder.USER, "u@pve", "A")
    assert found.privileges("u@pve", "/vms/100") == {"VM.Audit": True}
    found.grant("/vms", Holder.USER, "u@pve", "B", propagate=False)
    assert found.privileges("u@pve", "/vms") == {"VM.Audit": True, "VM.Clone": False}
    assert found.privileges("u@pve", "/vms/100") == {"VM.Audit": True}
    assert found.privileges("u@pve", "/") == {}


def test_a_nearer_entry_replaces_the_ones_above_and_the_users_own_those_of_its_groups() -> None:
    found = rights(A="VM.Audit", B="VM.Clone", C="VM.Migrate")
    found.grant("/", Holder.USER, "u@pve", "A")
    found.grant("/vms", Holder.GROUP, "g", "B")
    assert found.privileges("u@pve", "/vms/100") == {"VM.Clone": True}
    found.grant("/vms", Holder.USER, "u@pve", "C")
    assert found.privileges("u@pve", "/vms/100") == {"VM.Migrate": True}
    found.grant("/vms/100", Holder.USER, "u@pve", "NoAccess")
    assert found.privileges("u@pve", "/vms/100") == {}


def test_a_separated_token_has_what_it_and_its_user_have_and_another_what_its_user_has() -> None:
    found = rights(A="VM.Audit,VM.Clone", B="VM.Clone,VM.Migrate")
    found.grant("/", Holder.USER, "u@pve", "A")
    token = found.add_token("u@pve!t", "s", privsep=True)
    assert found.privileges("u@pve!t", "/vms/100") == {}
    found.grant("/vms", Holder.TOKEN, "u@pve!t", "B")
    assert found.privileges("u@pve!t", "/vms/100") == {"VM.Clone": True}
    token.privsep = False
    assert found.privileges("u@pve!t", "/vms/100") == {"VM.Audit": True, "VM.Clone": True}


def test_a_token_of_root_has_roots_privileges_and_is_not_root() -> None:
    found = rights()
    found.add_token(f"{ROOT}!t", "s")
    assert set(found.privileges(f"{ROOT}!t", "/vms/1")) == Flavour.PVE_8_4.privileges
    with pytest.raises(PermissionDeniedError, match="user != root@pam"):
        check_permissions({}, Caller(auth_id=f"{ROOT}!t", rights=found), {})
    check_permissions({}, Caller(auth_id=ROOT, rights=found), {})


def test_a_role_on_a_pool_counts_on_its_members(tmp_path: Path) -> None:
    lab = PveLab(tmp_path)
    cluster = lab.site.cluster
    cluster.pools["web"] = Pool(name="web", storages={"tanka1"})
    cluster.vms[8100].pool = "web"
    lab.token("a@pve!b", {"/pool/web": ["VM.Audit", "Datastore.Audit"]})
    assert cluster.rights.allowed("a@pve!b", "/vms/8100", ["VM.Audit"])
    assert cluster.rights.allowed("a@pve!b", "/storage/tanka1", ["Datastore.Audit"])
    assert not cluster.rights.allowed("a@pve!b", "/storage/tankb1", ["Datastore.Audit"])


@pytest.mark.parametrize(
    ("rule", "params", "refusal"),
    [
        (["perm", "/vms/{vmid}", ["VM.Audit"]], {"vmid": 100}, None),
        (["perm", "/vms/{vmid}", ["VM.Audit", "VM.Clone"]], {"vmid": 100}, "(/vms/100, VM.Clone)"),
        (["perm", "/vms/{vmid}", ["VM.Clone", "VM.Migrate"], "any", 1], {"vmid": 100}, "(/vms/100, VM.Clone|VM.Migrate)"),
        (["or", ["perm", "/", ["VM.Clone"]], ["perm", "/vms", ["VM.Audit"]]], {}, None),
        (["or", ["perm", "/", ["VM.Clone"]], ["perm", "/", ["VM.Migrate"]]], {}, "Permission check failed"),
        (["and", ["perm", "/vms", ["VM.Audit"]], ["perm", "/", ["VM.Clone"]]], {}, "(/, VM.Clone)"),
        (["perm", "/pool/{pool}", ["VM.Audit"], "require_param", "pool"], {}, "Permission check failed"),
        (["userid-param", "self"], {"userid": "u@pve"}, None),
        (["userid-param", "self"], {"userid": ROOT}, "Permission check failed"),
        (["userid-param", "self"], {"userid": "x@pve"}, "no such user ('x@pve')"),
        (["userid-param", "Realm.AllocateUser"], {"userid": "x@pve"}, "(/access/realm/pve, Realm.AllocateUser)"),
        (["userid-group", ["User.Modify"]], {"userid": "u@pve"}, None),
        (["userid-group", ["User.Modify"]], {"userid": ROOT}, "Permission check failed"),
        (["userid-group", ["User.Modify"], "groups_param", "create"], {"groups": "h"}, "(/access/groups/h, User.Modify)"),
        (["userid-group", ["User.Modify"], "groups_param", "create"], {}, "(/access/groups, User.Modify)"),
        (["perm-modify", "{path}"], {"path": "/vms/7"}, "(/vms/7, Permissions.Modify|VM.Allocate)"),
    ],
)  # fmt: skip
def test_a_permission_expression_of_the_schema_decides(
    rule: list[Any], params: dict[str, object], refusal: str | None
) -> None:
    found = rights(A="VM.Audit", G="User.Modify")
    found.grant("/vms", Holder.USER, "u@pve", "A")
    found.grant("/access/groups/g", Holder.USER, "u@pve", "G")
    caller = Caller(auth_id="u@pve", rights=found)
    if refusal is None:
        check_permissions({"check": rule}, caller, params)
    else:
        with pytest.raises(PveError) as caught:
            check_permissions({"check": rule}, caller, params)
        assert caught.value.message.endswith(refusal)


def test_one_asks_for_ones_own_permissions_and_an_auditor_for_those_of_others(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        token = lab.token("a@pve!bb", {"/vms/250": ["VM.Audit"], "/access": ["VM.Clone"]}, privsep=True)
        assert (await lab.ask("GET", "/access/permissions", token)).data == {
            "/access": {"VM.Clone": 1},
            "/access/groups": {"VM.Clone": 1},
            "/vms/250": {"VM.Audit": 1},
        }
        only = await lab.ask("GET", "/access/permissions", token, path="/vms/250")
        assert only.data == {"/vms/250": {"VM.Audit": 1}}
        assert (await lab.ask("GET", "/access/permissions", token, path="/vms/1")).data == {"/vms/1": {}}
        refused = await lab.ask("GET", "/access/permissions", token, userid="pvenix@pve")
        assert refused.reason == "Permission check failed (/access, Sys.Audit)"
        other = await lab.ask("GET", "/access/permissions", lab.viewer, userid="a@pve!bb", path="/vms/250")
        assert other.data == {"/vms/250": {"VM.Audit": 1}}

    in_lab(tmp_path, story)


def test_entries_and_roles_are_changed_through_the_api(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        admin = lab.token("admin@pve!adm", {"/": ["Permissions.Modify", "Sys.Modify", "Sys.Audit"]})
        await lab.ask("POST", "/access/roles", admin, roleid="Own", privs="VM.Audit")
        await lab.ask("PUT", "/access/roles/Own", admin, privs="VM.Clone", append="1")
        assert await lab.get("/access/roles/Own") == {"VM.Audit": 1, "VM.Clone": 1}
        params = {"path": "/vms/8100", "roles": "Own", "tokens": "viewer@pve!lab"}
        assert (await lab.ask("PUT", "/access/acl", admin, **params)).status == 200
        entry = {"path": "/vms/8100", "type": "token", "ugid": "viewer@pve!lab", "roleid": "Own", "propagate": 1}
        assert entry in (await lab.ask("GET", "/access/acl", admin)).data
        poor = lab.token("poor@pve!poor", {"/vms": ["VM.Allocate"]})
        assert (await lab.ask("GET", "/access/acl", poor)).data == [entry]
        await lab.ask("PUT", "/access/acl", admin, **params, delete="1")
        assert entry not in (await lab.ask("GET", "/access/acl", admin)).data
        bad = await lab.ask("PUT", "/access/acl", admin, path="/vm/8100", roles="Own", users="viewer@pve")
        assert bad.body is not None
        assert bad.body["errors"] == {"path": "invalid ACL path '/vm/8100'"}
        for method, role, reason in (
            ("PUT", "PVEAdmin", "auto-generated role 'PVEAdmin' cannot be modified"),
            ("DELETE", "PVEAdmin", "auto-generated role 'PVEAdmin' cannot be deleted"),
            ("DELETE", "None", "delete role failed: role 'None' does not exist"),
        ):
            assert (await lab.ask(method, f"/access/roles/{role}", admin)).reason == reason

    in_lab(tmp_path, story)


def test_only_what_one_has_oneself_may_be_given_away(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        owner = lab.token("own@pve!own", {"/vms/8100": ["VM.Allocate", "VM.Audit"]})
        lab.site.cluster.rights.roles |= {"Less": frozenset({"VM.Audit"}), "More": frozenset({"VM.Clone"})}
        params = {"path": "/vms/8100", "users": "viewer@pve"}
        assert (await lab.ask("PUT", "/access/acl", owner, **params, roles="Less")).status == 200
        refused = await lab.ask("PUT", "/access/acl", owner, **params, roles="More")
        assert refused.body is not None
        assert refused.body["errors"]["role"].startswith("Cannot add role 'More'")

    in_lab(tmp_path, story)


def test_a_secret_is_shown_once_and_a_new_one_kills_the_old(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        admin = lab.token("admin@pve!adm", {"/access": ["User.Modify"]})
        path = "/access/users/viewer@pve/token/second"
        made = (await lab.ask("POST", path, admin, privsep="0", comment="c")).data
        assert (made["full-tokenid"], made["info"]) == ("viewer@pve!second", {"privsep": 0, "comment": "c"})
        header = f"PVEAPIToken=viewer@pve!second={made['value']}"
        assert (await lab.ask("GET", "/version", header)).status == 200
        shown = (await lab.ask("GET", path, admin)).data
        assert shown == {"privsep": 0, "expire": 0, "comment": "c"}
        again = await lab.ask("POST", path, admin)
        assert again.body is not None
        assert again.body["errors"] == {"tokenid": "Token already exists."}
        other = (await lab.ask("PUT", path, admin, regenerate="1")).data
        assert (await lab.ask("GET", "/version", header)).status == 401
        header = f"PVEAPIToken=viewer@pve!second={other['value']}"
        assert (await lab.ask("GET", "/version", header)).status == 200
        await lab.ask("DELETE", path, admin)
        assert (await lab.ask("GET", "/version", header)).status == 401

    in_lab(tmp_path, story, pve=Flavour.PVE_9_2)


def test_a_token_without_a_second_character_and_an_unknown_parameter_are_refused_on_8_4(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        admin = lab.token("admin@pve!adm", {"/access": ["User.Modify"]})
        short = await lab.ask("POST", "/access/users/viewer@pve/token/t", admin)
        assert (short.status, list((short.body or {})["errors"])) == (400, ["tokenid"])
        new = await lab.ask("PUT", "/access/users/viewer@pve/token/lab", admin, regenerate="1")
        assert (new.status, list((new.body or {})["errors"])) == (400, ["regenerate"])

    in_lab(tmp_path, story)


@pytest.mark.parametrize(
    ("flavour", "reasons"),
    [
        (
            Flavour.PVE_8_4,
            ("user 'viewer@pve' is disabled", "user 'viewer@pve' access expired", "token 'lab' access expired"),
        ),
        (Flavour.PVE_9_2, ("Authentication failed!",) * 3),
    ],
)
def test_a_disabled_or_expired_user_or_token_is_nobody(
    tmp_path: Path, flavour: Flavour, reasons: tuple[str, str, str]
) -> None:
    async def story(lab: PveLab) -> None:
        user, token = lab.site.cluster.rights.users["viewer@pve"], lab.site.cluster.tokens["viewer@pve!lab"]
        got: list[tuple[int, str]] = []
        for holder, change in (
            (user, {"enable": False}),
            (user, {"enable": True, "expire": 1}),
            (token, {"expire": 1}),
        ):
            for name, value in change.items():
                setattr(holder, name, value)
            response = await lab.ask("GET", "/version", lab.viewer)
            got.append((response.status, response.reason))
            user.expire = 0
        assert got == [(401, reason) for reason in reasons]
        wrong = await lab.ask("GET", "/version", "PVEAPIToken=viewer@pve!lab=wrong")
        assert wrong.status == 401
        assert (await lab.ask("GET", "/version", "Basic x")).reason == "No ticket"

    in_lab(tmp_path, story, pve=flavour)


def test_a_ticket_lives_two_hours_and_reads_without_the_token_against_forgery(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        root = await lab.login(ROOT, str(lab.site.cluster.rights.users[ROOT].password))
        reader = Credentials(cookie=root.cookie)

        async def ask(method: str, path: str, given: Credentials, **params: str) -> Response:
            return await answer(lab.site, method, path, params, given)

        assert (await ask("GET", f"{TEMPLATE}/config", reader)).status == 200
        refused = await ask("PUT", f"{TEMPLATE}/config", reader, args="-x")
        assert (refused.status, refused.reason) == (401, "Permission denied - invalid csrf token")
        assert (await ask("PUT", f"{TEMPLATE}/config", root, args="-x")).status == 200
        forged = Credentials(cookie=str(root.cookie).replace("root@pam", "viewer@pve"))
        assert (await ask("GET", "/version", forged)).reason == "permission denied - invalid PVE ticket"
        await asyncio.sleep(TICKET_LIFE_S - 60)
        assert (await ask("GET", "/version", reader)).status == 200
        await asyncio.sleep(120)
        assert (await ask("GET", "/version", reader)).status == 401

    in_lab(tmp_path, story)


def test_only_root_itself_may_skip_a_lock(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        lab.site.cluster.vms[8100].lock = "backup"
        locked = await lab.ask("PUT", f"{TEMPLATE}/config", cores="4")
        assert locked.reason == "VM is locked (backup)"
        params = {"cores": "4", "skiplock": "1"}
        assert (await answer(lab.site, "PUT", f"{TEMPLATE}/config", params, lab.root)).status == 200

    in_lab(tmp_path, story)


def test_a_user_sees_itself_and_an_auditor_all(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        poor = lab.token("a@pve!b", {})
        assert (await lab.ask("GET", "/access/users", poor)).data == []
        auditor = lab.token("aud@pve!aud", {"/access/groups": ["Sys.Audit"]})
        names = {user["userid"] for user in (await lab.ask("GET", "/access/users", auditor)).data}
        assert names == {ROOT, "pvenix@pve", "viewer@pve", "a@pve", "aud@pve"}
        denied = await lab.ask("POST", "/access/users", poor, userid="new@pve")
        assert denied.reason == "Permission check failed (/access/realm/pve, Realm.AllocateUser)"
        own = await lab.ask("GET", f"{NODE}/tasks", poor)
        assert own.data == []

    in_lab(tmp_path, story)
