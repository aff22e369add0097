"""What a Nix file must not say, by its syntax tree: a setting is found however its path is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from tree_sitter import Node

from pvenix.lifecycle import nixsyntax
from pvenix.lifecycle.lint.clear import judged
from pvenix.lifecycle.lint.places import Text
from pvenix.lifecycle.lint.scripts import commands_in, listeners_in
from pvenix.model.lint import Found

_STRINGS: Final = ("string_expression", "indented_string_expression")
_DEEPEST: Final = 60
"""Nodes of the tree above a binding that are looked at; four to a nested set."""
_PRIORITY: Final = frozenset({"mkForce", "mkDefault", "mkVMOverride", "mkBefore", "mkAfter", "mkOverride", "mkOrder"})
_INHERITS: Final = ("inherit", "inherit_from")
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", "::0", "[::]", "[::0]"})  # noqa: S104 - what is looked for
_HASHES: Final = frozenset({"sha256", "sha512", "hash", "narHash", "outputHash", "sha1", "sri"})
_FETCHERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "fetchurl": _HASHES,
        "fetchTarball": _HASHES,
        "fetchzip": _HASHES,
        "fetchGit": _HASHES | {"rev"},
        "fetchgit": _HASHES,
        "fetchFromGitHub": _HASHES,
        "fetchFromGitLab": _HASHES,
        "fetchTree": _HASHES | {"rev"},
        "fetchMercurial": _HASHES | {"rev"},
        "getFlake": frozenset(),
    }
)

Path = tuple[str, ...]


def breaches(text: Text) -> Iterator[Found]:
    """Everything that the file's structure shows."""
    root = nixsyntax.parse(text.whole)
    if root.has_error:
        yield Found(line=max(1, nixsyntax.first_error(root)), column=1, code="L902")
    firewall = _speaks_of_firewall(root)
    for node in nixsyntax.walk(root):
        if node.type == "binding":
            yield from _binding(node)
        elif node.type == "apply_expression":
            yield from _fetch(node)
        elif (
            node.type in ("path_expression", "hpath_expression", "spath_expression")
            and nixsyntax.source(node)[0] in "/<~"
        ):
            yield _found(node, "L205", nixsyntax.source(node))
        elif node.type in _STRINGS:
            yield from _string(node, firewall=firewall)


def openssh(text: Text) -> tuple[Found | None, bool]:
    """Where the file switches OpenSSH on, and whether it says that passwords are refused."""
    enabled, refused = None, False
    if "openssh" not in text.whole and "PasswordAuthentication" not in text.whole:
        return enabled, refused
    for node in nixsyntax.walk(nixsyntax.parse(text.whole)):
        if node.type == "binding" and (path := _path(node)):
            value = nixsyntax.source(_value(node))
            if path[-3:] == ("services", "openssh", "enable") and value == "true":
                enabled = _found(node, "L305")
            refused = refused or (path[-1] == "PasswordAuthentication" and value == "false")
    return enabled, refused


def _binding(node: Node) -> Iterator[Found]:
    path, value = _path(node), _value(node)
    said = _literal(value) if value.type in _STRINGS else nixsyntax.source(value)
    for ending, wrong, code in _SETTINGS:
        if path[-len(ending) :] == ending and wrong(said):
            yield _found(node, code, said if len(said) < 30 else "")
    if path[-1:] in (("trusted-users",), ("trustedUsers",)):
        others = [user for user in _members(value) if user not in ("root", "")]
        if others:
            yield _found(node, "L401", ", ".join(others))
    if value.type in _STRINGS and path and not _children(value, "interpolation"):
        code = judged(path[-1], said)
        if code:
            yield _found(node, code, path[-1])


def _is(*wrong: str) -> Callable[[str], bool]:
    return lambda said: said.lower() in wrong


_SETTINGS: Final[tuple[tuple[Path, Callable[[str], bool], str], ...]] = (
    (("PermitRootLogin",), _is("yes"), "L302"),
    (("permitRootLogin",), _is("yes"), "L302"),
    (("PasswordAuthentication",), _is("true"), "L303"),
    (("passwordAuthentication",), _is("true"), "L303"),
    (("KbdInteractiveAuthentication",), _is("true"), "L303"),
    (("PermitEmptyPasswords",), _is("true", "yes"), "L303"),
    (("ssh_pwauth",), _is("true"), "L303"),
    (("networking", "firewall", "enable"), _is("false"), "L304"),
    (("require-sigs",), _is("false"), "L402"),
    (("requireSignedBinaryCaches",), _is("false"), "L402"),
    (("nix", "settings", "sandbox"), _is("false", "relaxed"), "L403"),
    (("nix", "useSandbox"), _is("false", "relaxed"), "L403"),
    (("StrictHostKeyChecking",), _is("no", "off", "false"), "L405"),
    (("forwardAgent",), _is("true"), "L406"),
)


def _fetch(node: Node) -> Iterator[Found]:
    """A fetcher that is told no hash. With a name or a function in the place of its arguments nothing can be said."""
    function, argument = node.child_by_field_name("function"), node.child_by_field_name("argument")
    name = nixsyntax.source(function).rpartition(".")[2] if function is not None else ""
    if name not in _FETCHERS or argument is None:
        return
    needed = _FETCHERS[name]
    if argument.type in _STRINGS or argument.type == "uri_expression":
        # fetchTree and getFlake take a revision in the reference itself.
        pinned = name in ("getFlake", "fetchTree") and (
            "?rev=" in nixsyntax.source(argument) or _has_revision(argument)
        )
        if not pinned:
            yield _found(node, "L203", name)
    elif argument.type in ("attrset_expression", "rec_attrset_expression"):
        given = {path[-1] for each in _bindings(argument) if (path := _own_path(each))}
        inherits = any(_children(group, kind) for group in _children(argument, "binding_set") for kind in _INHERITS)
        if not given & needed and not inherits:
            yield _found(node, "L203", name)


def _has_revision(argument: Node) -> bool:
    last = _literal(argument).rpartition("/")[2]
    return len(last) == 40 and all(character in "0123456789abcdef" for character in last)


def _string(node: Node, *, firewall: bool) -> Iterator[Found]:
    """A string by what it would do as a script, or as an address to listen on."""
    inner = Text(_spelled(node))
    first, column = int(node.start_point[0]), int(node.start_point[1])
    for found in commands_in(inner):
        yield _moved(found, first, column)
    if firewall:
        return
    literal = _literal(node)
    address, _, port = literal.rpartition(":")
    if literal in _EVERYWHERE or (port.isdigit() and address in _EVERYWHERE):
        yield _found(node, "L301", literal)
    for found in listeners_in(inner):
        yield _moved(found, first, column)


def _spelled(node: Node) -> str:
    """The string as it is written, its delimiters as blanks, so that places stay where they are."""
    written = nixsyntax.source(node)
    width = 2 if node.type == "indented_string_expression" else 1
    return " " * width + written[width:-width] + " " * width


def _moved(found: Found, line: int, column: int) -> Found:
    on_first = found.line == 1
    return Found(
        line=found.line + line,
        column=found.column + (column if on_first else 0),
        code=found.code,
        detail=found.detail,
    )


def _speaks_of_firewall(root: Node) -> bool:
    """True when the file opens or closes ports of the firewall itself."""
    return any(
        part in ("firewall", "openFirewall", "nftables")
        for node in nixsyntax.walk(root)
        if node.type == "binding"
        for part in _own_path(node)
    )


def _path(node: Node) -> Path:
    """The whole path of a binding, those around it first."""
    parts: list[str] = []
    current: Node | None = node
    for _ in range(_DEEPEST):
        if current is None:
            break
        if current.type == "binding":
            parts[:0] = _own_path(current)
        current = current.parent
    return tuple(parts)


def _own_path(node: Node) -> Path:
    names = node.child_by_field_name("attrpath")
    if names is None:
        return ()
    return tuple(
        _literal(part) if part.type in _STRINGS else nixsyntax.source(part)
        for part in names.children
        if part.type != "."
    )


def _value(node: Node) -> Node:
    """What a binding is set to, without mkForce and its kin."""
    value = node.child_by_field_name("expression") or node
    while value.type in ("apply_expression", "parenthesized_expression"):
        if value.type == "parenthesized_expression":
            inner = value.child_by_field_name("expression")
        else:
            function = value.child_by_field_name("function")
            name = nixsyntax.source(function).split()[0].rpartition(".")[2] if function is not None else ""
            inner = value.child_by_field_name("argument") if name in _PRIORITY else None
        if inner is None:
            return value
        value = inner
    return value


def _members(value: Node) -> list[str]:
    """The texts of a list, also of one that is put together with `++`; of anything else nothing."""
    return [_literal(node) for node in nixsyntax.walk(value) if node.type in _STRINGS]


def _literal(node: Node) -> str:
    return "".join(
        nixsyntax.source(child) for child in node.children if child.type in ("string_fragment", "escape_sequence")
    )


def _bindings(node: Node) -> Iterator[Node]:
    for group in _children(node, "binding_set"):
        yield from _children(group, "binding")


def _children(node: Node, kind: str) -> list[Node]:
    return [child for child in node.children if child.type == kind]


def _found(node: Node, code: str, detail: str = "") -> Found:
    return Found(line=int(node.start_point[0]) + 1, column=int(node.start_point[1]) + 1, code=code, detail=detail)
