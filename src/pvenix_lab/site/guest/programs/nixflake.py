"""`nix eval` and `nix flake …`: what a flake of hosts holds; shapes and texts measured on Nix 2.8, messages as since 2.24."""

from __future__ import annotations

import base64
import json
import re
import time

from pvenix_lab.site.guest import git
from pvenix_lab.site.guest.call import Call, Options, ProgramError
from pvenix_lab.site.guest.flake import EvalError, FlakeRef, FlakeTree, evaluate
from pvenix_lab.site.guest.programs.installables import default_installable, find, tree_of
from pvenix_lab.site.guest.programs.nixstore import nar_hash

_KINDS = {"nixosConfigurations": "nixos-configuration", "nixosTemplate": "unknown"}


async def eval_(call: Call, options: Options) -> int:
    """`nix eval [--raw | --json] [--apply builtins.attrNames] INSTALLABLE`."""
    if not options.rest:
        raise default_installable(call)
    if len(options.rest) != 1:
        raise ProgramError("error: the lab's nix evaluates exactly one installable")
    installable = options.rest[0]
    apply = options.value("--apply")
    if apply not in ("", "builtins.attrNames") or (apply and not installable.endswith("#nixosConfigurations")):
        raise ProgramError("error: the lab's nix applies builtins.attrNames to nixosConfigurations only")
    try:
        if apply:
            value: object = (await tree_of(call, installable.partition("#")[0]))[1].hosts()
        else:
            value = (await find(call, installable)).value()
    except EvalError as exc:
        raise ProgramError(str(exc)) from exc
    if options.has("--raw"):
        if not isinstance(value, str):
            raise ProgramError(f"error: cannot coerce {_kind(value)} to a string")
        call.out(value)
    else:
        # Nix 2.8 ends its JSON without a newline, later ones with one
        call.out((json.dumps(value, separators=(",", ":")) if options.has("--json") else _printed(value)) + "\n")
    return 0


def _kind(value: object) -> str:
    """What Nix calls the type of a value (nix: src/libexpr/eval.cc, showType)."""
    kinds = ((bool, "a Boolean"), (int, "an integer"), (float, "a float"), (list, "a list"), (dict, "a set"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")


def _printed(value: object) -> str:
    """A value in the language of Nix."""
    if isinstance(value, list):
        return " ".join(("[", *map(_printed, value), "]"))
    if isinstance(value, dict):
        return " ".join(("{", *(f"{key} = {_printed(one)};" for key, one in sorted(value.items())), "}"))
    return json.dumps(value, ensure_ascii=False)


async def _load(call: Call, options: Options) -> tuple[FlakeRef, FlakeTree]:
    try:
        return await tree_of(call, options.rest[0] if options.rest else ".")
    except EvalError as exc:
        raise ProgramError(str(exc)) from exc


def _url(reference: FlakeRef, tree: FlakeTree, branch: str) -> str:
    url = f"git+{reference.remote}" if reference.remote else f"git+file://{reference.path}"
    query = "&".join(
        filter(
            None,
            (
                f"dir={reference.directory}" if reference.directory else "",
                f"ref={branch}" if branch else "",
                f"rev={tree.revision}" if tree.revision else "",
            ),
        )
    )
    return f"{url}?{query}" if query else url


async def _history(call: Call, reference: FlakeRef, tree: FlakeTree) -> tuple[str, int]:
    """The branch that the flake is locked to, and how many commits its revision has; nothing for a dirty work tree."""
    if not tree.revision or reference.remote:
        return reference.ref.removeprefix("refs/heads/") if reference.remote else "", 0
    head = await git.capture(call.tree, "symbolic-ref", "--short", "--quiet", "HEAD", cwd=reference.path)
    count = await git.capture(call.tree, "rev-list", "--count", tree.revision, cwd=reference.path)
    return reference.ref or head.stdout.decode().strip(), int(count.stdout or b"0")


def _description(tree: FlakeTree) -> str:
    match = re.search(rb'^\s*description\s*=\s*"([^"]*)"', tree.files.get("flake.nix", b""), re.MULTILINE)
    return match[1].decode() if match else ""


async def metadata(call: Call, options: Options) -> int:
    """`nix flake metadata [--json] [REF]`."""
    reference, tree = await _load(call, options)
    remote = reference.remote or f"file://{reference.path}"
    original = {"type": "git", "url": remote} | ({"dir": reference.directory} if reference.directory else {})
    branch, commits = await _history(call, reference, tree)
    digest = base64.b64encode(nar_hash(tree.source)).decode()
    locked = original | {"ref": branch, "rev": tree.revision, "revCount": commits, "narHash": f"sha256-{digest}"}
    locked = {key: value for key, value in locked.items() if value} | {"lastModified": tree.modified_at}
    answer = {
        "description": _description(tree),
        "lastModified": tree.modified_at,
        "locked": locked,
        "locks": json.loads(tree.files.get("flake.lock", b"{}") or b"{}"),
        "original": original,
        "originalUrl": reference.text,
        "path": tree.source,
        "resolved": original,
        "resolvedUrl": _remote_url(reference),
        "revCount": commits,
        "revision": tree.revision,
        "url": _url(reference, tree, branch),
    }
    answer = {key: value for key, value in answer.items() if value}
    if options.has("--json"):
        call.out(json.dumps(answer, separators=(",", ":")) + "\n")
        return 0
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(tree.modified_at))
    lines = (("Resolved URL:", answer["resolvedUrl"]), ("Locked URL:", answer["url"]),
             ("Description:", answer.get("description")), ("Path:", tree.source), ("Revision:", tree.revision),
             ("Revisions:", commits), ("Last modified:", at))  # fmt: skip
    call.out("".join(f"{head:<14} {value}\n" for head, value in lines if value))
    call.out("Inputs:\n" + _inputs(tree))
    return 0


def _remote_url(reference: FlakeRef) -> str:
    query = f"?dir={reference.directory}" if reference.directory else ""
    return f"git+{reference.remote or f'file://{reference.path}'}{query}"


def _inputs(tree: FlakeTree) -> str:
    """The inputs of the lock file, one to a line."""
    nodes = json.loads(tree.files.get("flake.lock", b"{}") or b"{}").get("nodes", {})
    names = sorted(name for name in nodes if name != "root")
    lines = ""
    for name in names:
        locked = nodes[name].get("locked", {})
        lines += f"{'└' if name == names[-1] else '├'}───{name}: "
        lines += f"{locked.get('type')}:{locked.get('owner')}/{locked.get('repo')}/{locked.get('rev')}\n"
    return lines


async def show(call: Call, options: Options) -> int:
    """`nix flake show [--json] [REF]`."""
    reference, tree = await _load(call, options)
    hosts = {host: {"type": "nixos-configuration"} for host in tree.hosts()}
    found: dict[str, object] = {"nixosConfigurations": hosts}
    if "template.nix" in tree.files:
        found["nixosTemplate"] = {"type": "unknown"}
    for place in ("", "nixosConfigurations", *(f"nixosConfigurations.{host}" for host in hosts), *list(found)[1:]):
        call.err(f"evaluating '{place}'...")
    if options.has("--json"):
        call.out(json.dumps(found, separators=(",", ":")) + "\n")
        return 0
    call.out(f"{_url(reference, tree, (await _history(call, reference, tree))[0])}\n")
    last = len(found) == 1
    call.out(f"{'└' if last else '├'}───nixosConfigurations\n")
    for number, host in enumerate(hosts, 1):
        call.out(f"{' ' if last else '│'}   {'└' if number == len(hosts) else '├'}───{host}: NixOS configuration\n")
    if not last:
        call.out("└───nixosTemplate: unknown\n")
    return 0


async def check(call: Call, options: Options) -> int:
    """`nix flake check [REF]`: every host is evaluated; the first that fails ends it with 1."""
    _, tree = await _load(call, options)
    call.err("evaluating flake...")
    for host in tree.hosts():
        call.err(f"checking NixOS configuration 'nixosConfigurations.{host}'...")
        try:
            evaluate(tree, host)
        except EvalError as exc:
            raise ProgramError(
                f"{exc}\n\n       … while checking the NixOS configuration 'nixosConfigurations.{host}'"
            ) from exc
    return 0


async def lock(call: Call, options: Options) -> int:
    """`nix flake lock|update`: a complete lock stays as it is; anything else would need a network, which the site has not."""
    _, tree = await _load(call, options)
    if "flake.lock" in tree.files and not options.values.get("--update-input") and call.name != "update":
        return 0
    raise ProgramError(
        "error: unable to download 'https://api.github.com/repos/NixOS/nixpkgs/commits/nixos-25.11': Couldn't resolve host name (6)"
    )
