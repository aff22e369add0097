"""Users and their API tokens (source: pve-access-control API2/User.pm)."""

from __future__ import annotations

from typing import Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.rights import ROOT, Token, User
from pvenix_lab.site.pve.vm import new_uuid

_USERS = "/access/users"
_ONE = _USERS + "/{userid}"
_TOKEN = _ONE + "/token/{tokenid}"
_DETAILS = ("firstname", "lastname", "email", "comment", "keys")


@route("GET", _USERS)
async def users(call: Call) -> list[dict[str, Any]]:
    """The users that the caller may see: itself, and those of groups that it audits or changes."""
    result = []
    for user in call.cluster.rights.users.values():
        if not _visible(call, user) or ("enabled" in call.params and user.enable != call.flag("enabled")):
            continue
        item = {"userid": user.userid, "realm-type": user.userid.rpartition("@")[2], **_entry(user)}
        if call.flag("full"):
            item["groups"] = ",".join(sorted(user.groups))
            item["tokens"] = [{"tokenid": token.name, **_info(token)} for token in _tokens(call, user.userid)]
        result.append(item)
    return result


def _visible(call: Call, user: User) -> bool:
    if user.userid == call.caller.auth_id:
        return True
    places = ("/access/groups", *(f"/access/groups/{group}" for group in user.groups))
    return any(call.allowed(place, "User.Modify", "Sys.Audit", any_of=True) for place in places)


def _entry(user: User) -> dict[str, Any]:
    return {"enable": int(user.enable), "expire": user.expire, **user.details}


@route("POST", _USERS)
async def create(call: Call) -> None:
    """A new user, with a password if one is given."""
    userid = call.text("userid")
    if userid in call.cluster.rights.users:
        raise PveError(f"create user failed: user '{userid}' already exists")
    if userid.rpartition("@")[2] not in {"pam", "pve"}:
        raise PveError(f"domain '{userid.rpartition('@')[2]}' does not exist")
    user = User(userid=userid, password=call.text("password") or None)
    _change(call, user, "create user failed: ")
    call.cluster.rights.users[userid] = user


@route("GET", _ONE)
async def read(call: Call) -> dict[str, Any]:
    """One user with its groups and tokens."""
    user = _user(call)
    tokens = {token.name: _info(token) for token in _tokens(call, user.userid)}
    return {**_entry(user), "groups": sorted(user.groups), "tokens": tokens}


@route("PUT", _ONE)
async def update(call: Call) -> None:
    """Other settings for a user."""
    _change(call, _user(call), "update user failed: ")


def _change(call: Call, user: User, prefix: str) -> None:
    groups = set(split_list(call.text("groups")))
    unknown = next((group for group in sorted(groups) if group not in call.cluster.rights.groups), None)
    if unknown:
        raise PveError(f"{prefix}no such group '{unknown}'")
    if "groups" in call.params:
        user.groups = groups | (user.groups if call.flag("append") else set())
    user.enable = call.flag("enable", default=user.enable)
    user.expire = call.number("expire", user.expire)
    user.details |= {name: call.text(name) for name in _DETAILS if name in call.params}


@route("DELETE", _ONE)
async def delete(call: Call) -> None:
    """Remove a user with its tokens and entries."""
    userid, rights = _user(call).userid, call.cluster.rights
    if userid == call.caller.user:
        raise PveError("refusing to delete current user")
    if userid == ROOT:
        raise PveError(f"cannot delete {ROOT}")
    for token in _tokens(call, userid):
        _forget_token(call, token)
    for path, held in list(rights.acl.items()):
        for entry in [entry for entry in held if entry.name == userid]:
            rights.revoke(path, entry.holder, entry.name, entry.role)
    del rights.users[userid]


@route("GET", _ONE + "/tfa")
async def second_factors(call: Call) -> dict[str, Any]:
    """No second factors: none are simulated."""
    _user(call)
    return {"realm": None, "user": None}


@route("GET", _ONE + "/token")
async def tokens(call: Call) -> list[dict[str, Any]]:
    """The tokens of a user, without their secrets."""
    return [{"tokenid": token.name, **_info(token)} for token in _tokens(call, _user(call).userid)]


@route("GET", _TOKEN)
async def read_token(call: Call) -> dict[str, Any]:
    """One token, without its secret."""
    return _info(_token(call))


@route("POST", _TOKEN)
async def create_token(call: Call) -> dict[str, Any]:
    """A new token; the answer is the only place where its secret is shown."""
    token_id = f"{_user(call).userid}!{call.text('tokenid')}"
    if token_id in call.cluster.tokens:
        raise ParameterError({"tokenid": "Token already exists."})
    token = Token(token_id=token_id, secret=new_uuid(call.site.rng), privsep=call.flag("privsep", default=True))
    token.expire, token.comment = call.number("expire"), call.text("comment")
    call.cluster.tokens[token_id] = token
    info: dict[str, Any] = {"privsep": int(token.privsep)}
    info |= {"expire": token.expire} if "expire" in call.params else {}
    info |= {"comment": token.comment} if token.comment else {}
    return {"full-tokenid": token_id, "info": info, "value": token.secret}


@route("PUT", _TOKEN)
async def update_token(call: Call) -> dict[str, Any]:
    """Other settings for a token; on 9.2 `regenerate` gives it a new secret, and the old one is dead at once."""
    token = _token(call)
    for name in split_list(call.text("delete")):
        if name != "comment":
            raise ParameterError({"delete": f"unknown option '{name}'"})
        token.comment = ""
    token.privsep = call.flag("privsep", default=token.privsep)
    token.expire = call.number("expire", token.expire)
    token.comment = call.text("comment", token.comment)
    if not call.flag("regenerate"):
        return _info(token)
    token.secret = new_uuid(call.site.rng)
    return {**_info(token), "value": token.secret, "full-tokenid": token.token_id}


@route("DELETE", _TOKEN)
async def delete_token(call: Call) -> None:
    """Remove a token and its entries."""
    _forget_token(call, _token(call))


def _user(call: Call) -> User:
    user = call.cluster.rights.users.get(call.text("userid"))
    if user is None:
        raise PveError(f"no such user ('{call.text('userid')}')")
    return user


def _tokens(call: Call, userid: str) -> list[Token]:
    return [token for token in call.cluster.tokens.values() if token.user == userid]


def _token(call: Call) -> Token:
    user, name = _user(call).userid, call.text("tokenid")
    token = call.cluster.tokens.get(f"{user}!{name}")
    if token is None:
        raise PveError(f"no such token '{name}' for user '{user}'")
    return token


def _forget_token(call: Call, token: Token) -> None:
    del call.cluster.tokens[token.token_id]
    for path, held in list(call.cluster.rights.acl.items()):
        for entry in [entry for entry in held if entry.name == token.token_id]:
            call.cluster.rights.revoke(path, entry.holder, entry.name, entry.role)


def _info(token: Token) -> dict[str, Any]:
    comment = {"comment": token.comment} if token.comment else {}
    return {"privsep": int(token.privsep), "expire": token.expire, **comment}
