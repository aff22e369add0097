"""What is looked at in a registration branch before a person approves it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pvenix.engine.ports import FileChange
from pvenix.fleet.edit import remove_host
from pvenix.fleet.load import Fleet
from pvenix.fleet.yaml import parse
from pvenix.lifecycle import hardware
from pvenix.lifecycle.difference import unified
from pvenix.model.errors import PvenixError, UsageError
from pvenix.model.lint import RULES, Severity
from pvenix.model.paths import (
    HOSTS,
    SITE,
    TRUST,
    hardware_file,
    host_file,
    not_of_edits,
    quoted,
    trust_file,
    vars_file,
)
from pvenix.model.review import Check, FileDiff, Kind, Verdict

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Control characters but newline and tab, and what reorders or hides its neighbours."""
_FILE_LIMIT = 256 * 1024
_SHOWN = 5

Rule = Callable[[Fleet, str, Sequence[FileChange]], Check]


def run_checks(
    fleet: Fleet, host: str, changes: Sequence[FileChange], *, kind: Kind = Kind.REGISTRATION
) -> tuple[Check, ...]:
    """Every check of a branch of this kind about `host`, in the order in which a reviewer reads them."""
    return tuple(rule(fleet, host, changes) for rule in _rules(kind))


def _rules(kind: Kind) -> tuple[Rule, ...]:
    any_kind: tuple[Rule, ...] = (_plain_files, _visible, _secrets, _nix_syntax)
    match kind:
        case Kind.REGISTRATION:
            return (_scope, *any_kind, _hardware, _clashes)
        case Kind.RETIRE | Kind.DRIFT:
            return (_variables_only, *any_kind, _yaml_syntax, _clashes)
        case Kind.EDITS:
            return (_edits_scope, *any_kind, _yaml_syntax, _hardware_kept, _clashes)
        case Kind.TEMPLATE:
            return (_site_only, *any_kind, _yaml_syntax)
        case Kind.REVERT | Kind.TOPIC:
            return (*any_kind, _yaml_syntax)


def _variables_only(_fleet: Fleet, host: str, changes: Sequence[FileChange]) -> Check:
    return _only("only the host's own variables", vars_file(host), changes)


def _site_only(_fleet: Fleet, _host: str, changes: Sequence[FileChange]) -> Check:
    return _only("only the site", SITE, changes)


def _only(name: str, allowed: str, changes: Sequence[FileChange]) -> Check:
    outside = [quoted(change.path) for change in changes if change.path != allowed]
    return _fail(name, f"also changes {', '.join(outside[:_SHOWN])}") if outside else _pass(name)


def _yaml_syntax(_fleet: Fleet, _host: str, changes: Sequence[FileChange]) -> Check:
    wrong = []
    for change in changes:
        if change.path.endswith((".yaml", ".yml")) and change.new is not None:
            try:
                parse(change.new, change.path)
            except PvenixError as error:
                wrong.append(str(error))
    return _fail("YAML syntax", "; ".join(wrong[:_SHOWN])) if wrong else _pass("YAML syntax")


def _scope(_fleet: Fleet, host: str, changes: Sequence[FileChange]) -> Check:
    allowed = {
        host_file(host),
        hardware_file(host),
        vars_file(host),
        trust_file(host),
        HOSTS,
    }
    outside = [quoted(change.path) for change in changes if change.path not in allowed]
    if outside:
        return _fail("only the host's own files", f"also changes {', '.join(outside[:5])}")
    listing = next((change for change in changes if change.path == HOSTS), None)
    if listing is not None and _without(host, listing.old) != _without(host, listing.new):
        return _fail("only the host's own files", f"changes other entries of {HOSTS} too")
    return _pass("only the host's own files")


def _edits_scope(_fleet: Fleet, host: str, changes: Sequence[FileChange]) -> Check:
    """What was edited on a host concerns that host; what others are made of too is for a person to decide."""
    name, own = "only the host's own files", {host_file(host), hardware_file(host), vars_file(host)}
    outside = [f"{quoted(change.path)}: {why}" for change in changes if (why := not_of_edits(host, change.path))]
    if outside:
        return _fail(name, f"also changes {'; '.join(outside[:_SHOWN])}")
    shared = [quoted(change.path) for change in changes if change.path not in own]
    return _warn(name, f"not this host's alone: {', '.join(shared[:_SHOWN])}") if shared else _pass(name)


def _without(host: str, text: str | None) -> object:
    """What a hosts.yaml says beside `host`; the text itself where it cannot be read, which equals nothing else."""
    try:
        tree = parse(text or "", HOSTS)
        listed = tree is not None and f"{host}:" in (text or "")
        rest = parse(remove_host(text or "", host), HOSTS) if listed else tree
    except UsageError:
        return text
    return _bodies(rest.plain()) if rest is not None else {}


def _bodies(groups: object) -> object:
    """Groups by name, where no `hosts` and no `children` are the same as empty ones: a first host brings its `hosts:`."""
    if not isinstance(groups, dict):
        return groups or {}
    return {name: _body(body or {}) for name, body in groups.items()}


def _body(body: object) -> object:
    if not isinstance(body, dict):
        return body
    return {**body, "hosts": body.get("hosts") or {}, "children": _bodies(body.get("children"))}


def _plain_files(_fleet: Fleet, _host: str, changes: Sequence[FileChange]) -> Check:
    name = "plain text files"
    hidden = [quoted(change.path) for change in changes if not change.path.isprintable() and change.new is not None]
    if hidden:
        return _fail(name, f"invisible characters in the name: {', '.join(hidden[:_SHOWN])}")
    odd = [
        quoted(change.path)
        for change in changes
        if change.binary or change.mode not in ("100644", "000000") or len(change.new or "") > _FILE_LIMIT
    ]
    return _fail(name, f"symlink, submodule, executable, binary or huge: {', '.join(odd)}") if odd else _pass(name)


def _visible(_fleet: Fleet, _host: str, changes: Sequence[FileChange]) -> Check:
    hits = [quoted(change.path) for change in changes if _INVISIBLE.search(change.new or "")]
    if hits:
        return _fail("no invisible characters", f"in {', '.join(hits)}")
    return _pass("no invisible characters")


def _secrets(_fleet: Fleet, _host: str, changes: Sequence[FileChange]) -> Check:
    from pvenix.lifecycle.lint.clear import secrets_in
    from pvenix.lifecycle.lint.places import Text

    hits = [
        f"{RULES[found.code].what} in {quoted(change.path)}:{found.line}"
        for change in changes
        for found in secrets_in(Text((change.new or "")[:_FILE_LIMIT]))
        if RULES[found.code].severity is Severity.ERROR
    ]
    return _fail("no secrets", "; ".join(hits[:_SHOWN])) if hits else _pass("no secrets")


def _nix_syntax(_fleet: Fleet, _host: str, changes: Sequence[FileChange]) -> Check:
    from pvenix.lifecycle import nixsyntax

    wrong = []
    for change in changes:
        if change.path.endswith(".nix") and change.new is not None:
            root = nixsyntax.parse(change.new)
            if root.has_error:
                wrong.append(f"{quoted(change.path)}:{nixsyntax.first_error(root)}")
    return _fail("Nix syntax", f"not valid: {', '.join(wrong)}") if wrong else _pass("Nix syntax")


def _hardware(_fleet: Fleet, host: str, changes: Sequence[FileChange]) -> Check:
    text = next((change.new for change in changes if change.path == hardware_file(host)), None)
    oddities = hardware.inspect(text) if text is not None else ()
    if oddities:
        return _warn("hardware file is the generator's", "; ".join(oddities[:4]))
    return _pass("hardware file is the generator's")


def _hardware_kept(fleet: Fleet, host: str, changes: Sequence[FileChange]) -> Check:
    """A person says whether a changed hardware file is meant: no edit of it by hand survives the generator."""
    name, path = "hardware file as it was", hardware_file(host)
    change = next((change for change in changes if change.path == path), None)
    if change is None:
        return _pass(name)
    if change.new is None:
        return _fail(name, f"deletes {path}, without which {host} does not boot")
    found = _hardware(fleet, host, changes)
    return _warn(
        name, f"{path} changes: meant if the hardware did; " + (found.detail or "all of the generator's making")
    )


def _clashes(fleet: Fleet, host: str, changes: Sequence[FileChange]) -> Check:
    text = next((change.new for change in changes if change.path == vars_file(host)), None) or ""
    claimed = {int(number) for number in re.findall(r"vmid[\"']?\s*:\s*[\"']?([0-9]{1,9})", text)}
    owners = [
        f"{other.machine.proxmox.vmid} belongs to {name}"
        for name, other in fleet.hosts.items()
        if name != host and other.machine.proxmox.vmid in claimed
    ]
    if owners:
        return _fail("no clash of VM ids", "; ".join(owners))
    return _pass("no clash of VM ids")


def _pass(name: str) -> Check:
    return Check(name=name, verdict=Verdict.PASS)


def _warn(name: str, detail: str) -> Check:
    return Check(name=name, verdict=Verdict.WARN, detail=detail)


def _fail(name: str, detail: str) -> Check:
    return Check(name=name, verdict=Verdict.FAIL, detail=detail)


def file_diff(host: str, change: FileChange) -> FileDiff:
    """One changed file as a reviewer reads it, invisible characters written out."""
    lines = unified(change.path, *(reveal(text or "") for text in (change.old, change.new)))
    return FileDiff(
        path=change.path,
        kind=_kind(host, change.path),
        added=sum(line.startswith("+") for line in lines[2:]),
        removed=sum(line.startswith("-") for line in lines[2:]),
        unified="(binary)" if change.binary else "".join(lines),
    )


def reveal(text: str) -> str:
    """`text` with its invisible characters written out."""
    return _INVISIBLE.sub(lambda found: f"<U+{ord(found.group()):04X}>", text)


def _kind(host: str, path: str) -> str:
    if path == host_file(host):
        return "host"
    if path == hardware_file(host):
        return "hardware"
    if path.startswith(f"{TRUST}/"):
        return "trust"
    return "inventory" if path.startswith("inventory/") else "other"
