"""hosts.yaml with group_vars and host_vars, read as Ansible reads them; only the variable `machine` is pvenix's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pvenix.fleet import claims, codes, ranges
from pvenix.fleet.layers import CLAIM, Layer, machine_layer
from pvenix.fleet.members import Group, Inventory, Listed
from pvenix.fleet.node import Kind, Node
from pvenix.fleet.root import shown
from pvenix.fleet.stamp import claims_folders
from pvenix.fleet.yaml import read, read_documents
from pvenix.model import names
from pvenix.model.errors import InvalidInput, UsageError
from pvenix.model.findings import Finding
from pvenix.model.nearest import did_you_mean, nearest

_GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_BODY = ("hosts", "children", "vars")
_SUFFIXES = (".yaml", ".yml")


def load_inventory(hosts_file: Path, root: Path) -> Inventory:
    """The inventory in `hosts_file` with the vars files beside it; problems are in its `findings`."""
    inventory = Inventory()
    inventory.groups["all"] = Group(
        name="all", key=Node(kind=Kind.SCALAR, file=shown(hosts_file, root), line=1, column=1)
    )
    tree, inventory.whole = _read(inventory, hosts_file, root)
    if tree is not None:
        if tree.kind == Kind.MAP:
            for name, entry in tree.entries.items():
                _add_group(inventory, name, entry.key, entry.value, parent="all")
        else:
            inventory.findings.append(tree.finding(codes.VALUE, "must be a map of groups", "start with `all:`"))
    _add_claims(inventory, hosts_file, root)
    _check_names(inventory)
    _read_vars(inventory, hosts_file.parent, root)
    inventory.settle()
    return inventory


def _read(inventory: Inventory, path: Path, root: Path) -> tuple[Node | None, bool]:
    """The tree of a file, None when it holds nothing, and whether it could be read."""
    name = shown(path, root)
    inventory.files.append(name)
    try:
        return read(path, name), True
    except InvalidInput as error:
        inventory.findings.extend(error.findings)
        return None, False


def _add_group(inventory: Inventory, name: str, key: Node, body: Node, *, parent: str) -> None:
    problem = _group_problem(name, key)
    if problem:
        inventory.findings.append(problem)
        return
    group = inventory.groups.setdefault(name, Group(name=name, key=key))
    if name == "all":
        group.key = key
    else:
        inventory.groups[parent].children.setdefault(name, key)
    if body.is_null:
        return
    if body.kind != Kind.MAP:
        inventory.findings.append(body.finding(codes.VALUE, f"group `{name}` must be a map", f"of {', '.join(_BODY)}"))
        return
    for word, entry in body.entries.items():
        if word not in _BODY:
            hint = did_you_mean(word, _BODY)
            inventory.findings.append(
                entry.key.finding(codes.UNKNOWN_KEY, f"unknown key `{word[:60]}` in a group", hint)
            )
        elif entry.value.is_null:
            continue
        elif entry.value.kind != Kind.MAP:
            inventory.findings.append(
                entry.value.finding(codes.VALUE, f"`{word}` must be a map", "each name is a key, with a colon after it")
            )
        else:
            _BODY_PARTS[word](inventory, group, entry.value)


def _group_problem(name: str, key: Node) -> Finding | None:
    if not _GROUP.fullmatch(name):
        return key.finding(codes.NAME, f"{name[:60]!r} is not a group name", "use letters, digits and _")
    if name.startswith("role_"):
        return key.finding(
            codes.NAME, f"group `{name}`: names with role_ are taken", "give the hosts the role; the group then exists"
        )
    return None


def _add_children(inventory: Inventory, group: Group, node: Node) -> None:
    for name, entry in node.entries.items():
        _add_group(inventory, name, entry.key, entry.value, parent=group.name)


def _add_hosts(inventory: Inventory, group: Group, node: Node) -> None:
    for pattern, entry in node.entries.items():
        try:
            expanded = ranges.expand(pattern)
            for name in expanded:
                names.host_name(name)
        except UsageError as error:
            inventory.findings.append(entry.key.finding(codes.NAME, str(error), error.hint))
            continue
        for name in expanded:
            listed = inventory.hosts.setdefault(name, Listed(name=name, key=entry.key))
            group.hosts[name] = None
            listed.inline.extend(_machine_layer(inventory, entry.value, "host"))


def _add_vars(inventory: Inventory, group: Group, node: Node) -> None:
    group.inline.extend(_machine_layer(inventory, node, f"group {group.name}"))
    _set_priority(group, node)


def _add_claims(inventory: Inventory, hosts_file: Path, root: Path) -> None:
    for path in claims.claim_files(claims_folders(hosts_file, root)):
        name = shown(path, root)
        inventory.files.append(name)
        try:
            documents = read_documents(path, name)
        except InvalidInput as error:
            inventory.findings.extend(error.findings)
            inventory.whole = False
            continue
        for document in documents:
            claim = claims.read_claim(document, inventory.findings, root=root)
            if claim is not None:
                _add_claim(inventory, claim)


def _add_claim(inventory: Inventory, claim: claims.Claim) -> None:
    try:
        name = names.host_name(str(claim.name.value))
    except UsageError as error:
        inventory.findings.append(claim.name.finding(codes.NAME, str(error), error.hint))
        return
    first = inventory.hosts.get(name)
    if first is not None:
        where = f"`{name}` is at {first.key.file}:{first.key.line}; keep one of them"
        inventory.findings.append(claim.name.finding(codes.CLASH, f"host `{name}` is there already", where))
        return
    inventory.hosts[name] = Listed(name=name, key=claim.name, inline=[Layer(name=CLAIM, node=claim.machine)])
    for at in claim.groups:
        problem = _group_problem(str(at.value), at)
        if problem:
            inventory.findings.append(problem)
            continue
        group = inventory.groups.setdefault(str(at.value), Group(name=str(at.value), key=at))
        if group.key is at:
            inventory.groups["all"].children[group.name] = at
        group.hosts[name] = None


_BODY_PARTS = {"hosts": _add_hosts, "children": _add_children, "vars": _add_vars}


def _set_priority(group: Group, variables: Node) -> None:
    priority = variables.get("ansible_group_priority")
    if priority is not None and isinstance(priority.value, int):
        group.priority = priority.value


def _machine_layer(inventory: Inventory, variables: Node, name: str) -> Iterator[Layer]:
    """The layer under `machine` of some variables; all other variables are the user's."""
    if variables.is_null:
        return
    if variables.kind != Kind.MAP:
        inventory.findings.append(variables.finding(codes.VALUE, "variables must be a map", "such as `machine: {…}`"))
        return
    entry = variables.entries.get("machine")
    if entry is None:
        close = nearest("machine", [key for key in variables.entries if key[:1] in "mM"])
        if close:
            inventory.findings.append(
                variables.entries[close].key.finding(
                    codes.UNKNOWN_KEY, f"`{close}` is not read by pvenix", "did you mean `machine`?", warning=True
                )
            )
    elif entry.value.kind == Kind.MAP:
        yield machine_layer(name, entry.value)
    elif not entry.value.is_null:
        inventory.findings.append(entry.value.finding(codes.VALUE, "`machine` must be a map", "such as {class: small}"))


def _check_names(inventory: Inventory) -> None:
    folded: dict[str, Listed] = {}
    for listed in inventory.hosts.values():
        first = folded.setdefault(listed.name.casefold(), listed)
        if first is not listed:
            where = f"`{first.name}` is at {first.key.file}:{first.key.line}"
            inventory.findings.append(
                listed.key.finding(codes.CLASH, f"host `{listed.name}` differs from another only in case", where)
            )
        if listed.name in inventory.groups:
            inventory.findings.append(
                listed.key.finding(
                    codes.NAME, f"`{listed.name}` is a host and a group", "rename the group", warning=True
                )
            )


def _read_vars(inventory: Inventory, folder: Path, root: Path) -> None:
    for path, name in _vars_files(folder / "group_vars"):
        group = inventory.groups.get(name)
        if group is None and inventory.whole:
            _stray(inventory, shown(path, root), "group", name, inventory.groups)
            continue
        tree, readable = _read_unless_vault(inventory, path, root)
        if group is not None:
            group.whole = group.whole and readable
            if tree is not None:
                group.files.extend(_machine_layer(inventory, tree, f"group_vars {name}"))
                _set_priority(group, tree)
    for path, name in _vars_files(folder / "host_vars"):
        listed = inventory.hosts.get(name)
        if listed is None and inventory.whole:
            _stray(inventory, shown(path, root), "host", name, inventory.hosts)
            continue
        tree, readable = _read_unless_vault(inventory, path, root)
        if listed is not None:
            listed.whole = listed.whole and readable
            if tree is not None:
                listed.files.extend(_machine_layer(inventory, tree, "host_vars"))


def _vars_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """The vars files of a folder with the name they are for: `<name>.yaml`, or every file in `<name>/`."""
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return
    for path in found:
        if path.suffix in _SUFFIXES and not path.name.startswith("."):
            yield path, path.stem
        elif not path.suffix and path.is_dir():
            yield from ((below, path.name) for below in sorted(path.iterdir()) if below.suffix in _SUFFIXES)


def _read_unless_vault(inventory: Inventory, path: Path, root: Path) -> tuple[Node | None, bool]:
    """As `_read`, of a vars file; one that is encrypted for Ansible as a whole belongs to the user."""
    tree, readable = _read(inventory, path, root)
    if tree is not None and isinstance(tree.value, str) and tree.value.startswith("$ANSIBLE_VAULT;"):
        return None, True
    return tree, readable


def _stray(inventory: Inventory, file: str, kind: str, name: str, known: Iterable[str]) -> None:
    hint = did_you_mean(name, known)
    if kind == "group" and name.startswith("role_"):
        hint = "what a role sets stands in site.yaml, under roles.<name>.machine"
    inventory.findings.append(
        Finding(
            file=file,
            line=1,
            column=1,
            code=codes.STRAY_FILE,
            what=f"there is no {kind} `{name}`",
            hint=hint,
            warning=True,
        )
    )
