"""The options that the modules of one host set, merged as far as the lab needs it (nixpkgs: lib/modules.nix)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pvenix_lab.site.guest.nixscan import Raw, Scan, Setting, scan, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

    from pvenix_lab.site.guest.nixscan import Value

_ATOMS: dict[str, Value] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A definition and the file whose names it may use."""

    setting: Setting
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The names of one file: those bound to `import ./x.nix`, as the content of x.nix."""

    imported: dict[str, bytes]

    @classmethod
    def of(cls, found: Scan, read: Callable[[str], bytes | None]) -> Scope:
        """The scope of a scanned file; `read` gets the text of a path that the file names."""
        texts = {name: read(path) for name, path in found.imports.items()}
        return cls(imported={name: text for name, text in texts.items() if text is not None})


@dataclass(slots=True, kw_only=True)
class Options:
    """Every definition by option path."""

    definitions: dict[tuple[str, ...], list[Definition]] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    def add(self, found: Scan, scope: Scope) -> None:
        """Add the definitions of one module."""
        for setting in found.settings:
            self.definitions.setdefault(setting.path, []).append(Definition(setting=setting, scope=scope))

    def get(self, name: str, default: Value = None) -> Value:
        """The merged value of an option: the strongest priority wins, lists of equal priority are joined."""
        holding = [d for d in self.definitions.get(tuple(name.split(".")), []) if self._holds(d)]
        if not holding:
            return default
        best = min(d.setting.priority for d in holding)
        values = [self.value(d.setting.node, d.scope) for d in holding if d.setting.priority == best]
        lists = [value for value in values if isinstance(value, list)]
        return [item for part in lists for item in part] if lists else values[-1]

    def is_true(self, name: str, *, default: bool = False) -> bool:
        """The value of a boolean option; what is not understood counts as true."""
        value = self.get(name, default)
        return value if isinstance(value, bool) else True

    def template(self, name: str) -> str:
        """The text of an option with what is understood filled in; the rest of it stays as `${…}`. Empty when it is no text."""
        holding = [d for d in self.definitions.get(tuple(name.split(".")), []) if self._holds(d)]
        if not holding:
            return ""
        chosen = min(holding, key=lambda d: d.setting.priority)
        node = chosen.setting.node
        if node.type not in ("string_expression", "indented_string_expression"):
            value = self.value(node, chosen.scope)
            return value if isinstance(value, str) else ""
        return "".join(self._filled(child, chosen.scope) for child in node.named_children)

    def _filled(self, node: Node, scope: Scope) -> str:
        if node.type != "interpolation" or not node.named_children:
            return text_of(node)
        value = self.value(node.named_children[0], scope)
        return str(value) if isinstance(value, str | int) else text_of(node)

    def below(self, prefix: str) -> list[str]:
        """The names directly below an option path, of definitions whose conditions hold."""
        head = tuple(prefix.split("."))
        names = {
            path[len(head)]
            for path, definitions in self.definitions.items()
            if path[: len(head)] == head and len(path) > len(head) and any(self._holds(d) for d in definitions)
        }
        return sorted(names)

    def text_below(self, prefix: str) -> str:
        """The source of every definition at or below an option path: what a digest of it is made of."""
        head = tuple(prefix.split("."))
        return "\n".join(
            f"{'.'.join(path)}={text_of(definition.setting.node)}"
            for path, definitions in sorted(self.definitions.items())
            if path[: len(head)] == head
            for definition in definitions
            if self._holds(definition)
        )

    def _holds(self, definition: Definition) -> bool:
        """False only when a condition is known to be false."""
        return all(self.value(node, definition.scope) is not False for node in definition.setting.conditions)

    def value(self, node: Node, scope: Scope) -> Value:
        """The value of an expression, Raw where it is not understood."""
        match node.type:
            case "parenthesized_expression":
                return self.value(node.named_children[0], scope)
            case "integer_expression":
                return int(text_of(node))
            case "string_expression" | "indented_string_expression":
                return self._string(node)
            case "list_expression":
                return [self.value(child, scope) for child in node.named_children if child.type != "comment"]
            case "variable_expression":
                return _ATOMS.get(text_of(node), Raw(text_of(node)))
            case "select_expression":
                return self._select(node, scope)
            case "binary_expression":
                return self._binary(node, scope)
            case "unary_expression" if text_of(node).startswith("!"):
                inner = self.value(node.named_children[0], scope)
                return not inner if isinstance(inner, bool) else Raw(text_of(node))
            case _:
                return Raw(text_of(node))

    def _string(self, node: Node) -> Value:
        if any(child.type == "interpolation" for child in node.children):
            return Raw(text_of(node))
        return "".join(text_of(child) for child in node.named_children)

    def _select(self, node: Node, scope: Scope) -> Value:
        head, _, rest = text_of(node).partition(".")
        if head == "config":
            return self._ask(rest)
        source = scope.imported.get(head)
        if source is None:
            return Raw(text_of(node))
        return _lookup(source, rest, self)

    def _ask(self, name: str) -> Value:
        """Another option's value; one that depends on itself is not understood."""
        if name in self._asked:
            return Raw(f"config.{name}")
        self._asked.add(name)
        try:
            return self.get(name)
        finally:
            self._asked.discard(name)

    def _binary(self, node: Node, scope: Scope) -> Value:
        operator = text_of(node.child_by_field_name("operator"))
        left_node, right_node = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left_node is None or right_node is None:
            return Raw(text_of(node))
        left, right = self.value(left_node, scope), self.value(right_node, scope)
        if operator == "&&" and (left is False or right is False):
            return False
        if isinstance(left, Raw) or isinstance(right, Raw):
            return Raw(text_of(node))
        match operator:
            case "==":
                return left == right
            case "!=":
                return left != right
            case "&&":
                return left is True and right is True
            case "||":
                return left is True or right is True
            case "++" if isinstance(left, list) and isinstance(right, list):
                return [*left, *right]
            case _:
                return Raw(text_of(node))


def _lookup(source: bytes, name: str, options: Options) -> Value:
    """The value of `name` in a file that is one attribute set."""
    wanted = tuple(name.split("."))
    for setting in scan(source).settings:
        if setting.path == wanted:
            return options.value(setting.node, Scope(imported={}))
    return Raw(name)
