"""`nix eval` and `nix flake …`: what a flake of hosts holds; shapes and texts measured on Nix 2.8, messages as since 2.24."""

from __future__ import annotations

import json
import time

from pvenix_lab.site.guest.call import Call, Options, ProgramError
from pvenix_lab.site.guest.flake import EvalError, FlakeRef, FlakeTree, evaluate
from pvenix_lab.site.guest.programs.installables import find, tree_of

_KINDS = {"nixosConfigurations": "nixos-configuration", "nixosTemplate": "unknown"}


async def eval_(call: Call, options: Options) -> int:
    """`nix eval [--raw | --json] [--apply builtins.attrNames] INSTALLABLE`."""
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
            raise ProgramError("error: value is not a string")
        call.out(value)
    else:
        # Nix 2.8 ends its JSON without a newline, later ones with one
        call.out(json.dumps(value, separators=(",", ":") if options.has("--json") else None) + "\n")
    return 0


async def _load(call: Call, options: Options) -> tuple[FlakeRef, FlakeTree]:
    try:
        return await tree_of(call, options.rest[0] if options.rest else ".")
    except EvalError as exc:
        raise ProgramError(str(exc)) from exc


def _url(reference: FlakeRef, tree: FlakeTree) -> str:
    url = f"git+{reference.remote}" if reference.remote else f"git+file://{reference.path}"
    query = "&".join(
        filter(
            None,
            (
                f"dir={reference.directory}" if reference.directory else "",
                f"rev={tree.revision}" if tree.revision else "",
            ),
        )
    )
    return f"{url}?{query}" if query else url


async def metadata(call: Call, options: Options) -> int:
    """`nix flake metadata [--json] [REF]`."""
    reference, tree = await _load(call, options)
    remote = reference.remote or f"file://{reference.path}"
    original = {"type": "git", "url": remote} | ({"dir": reference.directory} if reference.directory else {})
    locked = original | {"rev": tree.revision, "lastModified": tree.modified_at}
    answer = {
        "lastModified": tree.modified_at,
        "locked": locked,
        "locks": json.loads(tree.files.get("flake.lock", b"{}") or b"{}"),
        "original": original,
        "originalUrl": reference.text,
        "path": tree.source,
        "resolved": original,
        "revision": tree.revision,
        "url": _url(reference, tree),
    }
    if options.has("--json"):
        call.out(json.dumps(answer, separators=(",", ":")) + "\n")
        return 0
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(tree.modified_at))
    lines = (("Resolved URL:", f"git+{remote}"), ("Locked URL:", answer["url"]), ("Path:", tree.source),
             ("Revision:", tree.revision), ("Last modified:", at))  # fmt: skip
    call.out("".join(f"{head:<14}{value}\n" for head, value in lines if value))
    return 0


async def show(call: Call, options: Options) -> int:
    """`nix flake show [--json] [REF]`."""
    reference, tree = await _load(call, options)
    hosts = {host: {"type": "nixos-configuration"} for host in tree.hosts()}
    found: dict[str, object] = {"nixosConfigurations": hosts}
    if "template.nix" in tree.files:
        found["nixosTemplate"] = {"type": "unknown"}
    if options.has("--json"):
        call.out(json.dumps(found, separators=(",", ":")) + "\n")
        return 0
    call.out(f"{_url(reference, tree)}\n")
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
