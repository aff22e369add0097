"""hosts.yaml with group_vars and host_vars, read as Ansible reads them; only the variable `machine` is pvenix's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pvenix.fleet import codes, ranges
from pvenix.fleet.layers import Layer
from pvenix.fleet.yaml import Kind, Node, read
from pvenix.model import names
from pvenix.model.errors import InvalidInput, UsageError
from pvenix.model.findings import Finding
from pvenix.model.nearest import did_you_mean, nearest

_GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_BODY = ("hosts", "children", "vars")
_SUFFIXES = (".yaml", ".yml")
_DEFAULT_PRIORITY = 1


@dataclass(slots=True, eq=False, kw_only=True)
class Group:
    """A group as all its mentions together make it."""

    name: str
    key: Node
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, Node] = field(default_factory=dict)
    inline: list[Layer] = field(default_factory=list)
    files: list[Layer] = field(default_factory=list)
    priority: int = _DEFAULT_PRIORITY


@dataclass(slots=True, eq=False, kw_only=True)
class Listed:
    """A host as the inventory lists it."""

    name: str
    key: Node
    inline: list[Layer] = field(default_factory=list)
    files: list[Layer] = field(default_factory=list)


@dataclass(slots=True, eq=False, kw_only=True)
class Inventory:
    """Hosts and groups with their layers; `findings` says what is wrong with them."""

    hosts: dict[str, Listed] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    _order: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    _above: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def groups_of(self, host: str) -> tuple[str, ...]:
        """The groups that a host is in, `all` included: parents first, then by priority, then by name."""
        return self._above.get(host, ())

    def group_layers(self, groups: Iterable[str]) -> list[Layer]:
        """The layers of groups in the order given: what hosts.yaml says of them all, then their group_vars."""
        members = [self.groups[name] for name in groups]
        return [layer for group in members for layer in group.inline] + [
            layer for group in members for layer in group.files
        ]

    def members(self, group: str) -> list[str]:
        """The hosts of a group and of the groups below it, in the inventory's order."""
        return [host for host in self.hosts if group in self._above.get(host, ())]

    def settle(self) -> None:
        """Works out who is in which group, and in which order their layers count."""
        parents: dict[str, list[str]] = {name: [] for name in self.groups}
        for group in self.groups.values():
            for child in group.children:
                parents[child].append(group.name)
        depth = self._depths(parents)
        self._order = {name: (depth[name], self.groups[name].priority, name) for name in self.groups}
        direct: dict[str, list[str]] = {name: ["all"] for name in self.hosts}
        for group in self.groups.values():
            for host in group.hosts:
                direct[host].append(group.name)
        closures: dict[tuple[str, ...], tuple[str, ...]] = {}
        for host, start in direct.items():
            key = tuple(start)
            if key not in closures:
                closures[key] = tuple(sorted(_ancestors(start, parents), key=self._order.__getitem__))
            self._above[host] = closures[key]

    def _depths(self, parents: dict[str, list[str]]) -> dict[str, int]:
        """The longest way from `all` to each group; a cycle is reported and cut."""
        depth: dict[str, int] = {}
        waiting = {name: len(above) for name, above in parents.items()}
        ready = [name for name, count in waiting.items() if not count]
        while waiting:
            if not ready:
                ready = [self._cut_cycle(next(iter(waiting)), waiting, parents)]
            name = ready.pop()
            del waiting[name]
            depth[name] = max((depth[parent] + 1 for parent in parents[name]), default=0)
            for child in self.groups[name].children:
                if child in waiting:
                    waiting[child] -= 1
                    if not waiting[child]:
                        ready.append(child)
        return depth

    def _cut_cycle(self, start: str, waiting: dict[str, int], parents: dict[str, list[str]]) -> str:
        """Reports a cycle and lets one of its groups go on as if nobody contained it; that group."""
        way = [start]
        while True:
            above = next(parent for parent in parents[way[-1]] if parent in waiting)
            if above in way:
                break
            way.append(above)
        loop = way[way.index(above) :]
        shown = " -> ".join([above, *reversed(loop)])
        parents[loop[-1]] = [parent for parent in parents[loop[-1]] if parent not in waiting]
        at = self.groups[above].children[loop[-1]]
        self.findings.append(at.finding(codes.CYCLE, f"groups contain themselves: {shown}", "take one of them out"))
        return loop[-1]


def _ancestors(start: Iterable[str], parents: dict[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    todo = list(start)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(parents[name])
    return seen


def load_inventory(hosts_file: Path, root: Path) -> Inventory:
    """The inventory in `hosts_file` with the vars files beside it; problems are in its `findings`."""
    inventory = Inventory()
    inventory.groups["all"] = Group(
        name="all", key=Node(kind=Kind.SCALAR, file=_shown(hosts_file, root), line=1, column=1)
    )
    tree = _read(inventory, hosts_file, root)
    if tree is not None:
        if tree.kind == Kind.MAP:
            for name, entry in tree.entries.items():
                _add_group(inventory, name, entry.key, entry.value, parent="all")
        else:
            inventory.findings.append(tree.finding(codes.VALUE, "must be a map of groups", "start with `all:`"))
    _check_names(inventory)
    _read_vars(inventory, hosts_file.parent, root)
    inventory.settle()
    return inventory


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _read(inventory: Inventory, path: Path, root: Path) -> Node | None:
    name = _shown(path, root)
    inventory.files.append(name)
    try:
        return read(path, name)
    except InvalidInput as error:
        inventory.findings.extend(error.findings)
        return None


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
        yield Layer(name=name, node=entry.value)
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
        if group is None:
            _stray(inventory, _shown(path, root), "group", name, inventory.groups)
        else:
            tree = _read_unless_vault(inventory, path, root)
            if tree is not None:
                group.files.extend(_machine_layer(inventory, tree, f"group_vars {name}"))
                _set_priority(group, tree)
    for path, name in _vars_files(folder / "host_vars"):
        listed = inventory.hosts.get(name)
        if listed is None:
            _stray(inventory, _shown(path, root), "host", name, inventory.hosts)
        else:
            tree = _read_unless_vault(inventory, path, root)
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


def _read_unless_vault(inventory: Inventory, path: Path, root: Path) -> Node | None:
    """The tree of a vars file; a file that is encrypted for Ansible as a whole belongs to the user."""
    tree = _read(inventory, path, root)
    if tree is not None and isinstance(tree.value, str) and tree.value.startswith("$ANSIBLE_VAULT;"):
        return None
    return tree


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
