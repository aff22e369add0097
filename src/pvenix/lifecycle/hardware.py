"""Generate the hardware configuration on the guest and check that it is nothing but one.

The text comes from a machine that may be hostile and will be code that builds as root. What is no module of the size
and shape that nixos-generate-config writes is refused at once; a module with anything in it that the generator does not
write is for a person's eyes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.agentpath import Reader, reader
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure
from pvenix.model.outcome import Outcome, Probe, Status, done, needed
from pvenix.model.paths import hardware_file

if TYPE_CHECKING:
    from tree_sitter import Node

_OPTIONS = (
    "imports",
    "boot.initrd.availableKernelModules",
    "boot.initrd.kernelModules",
    "boot.initrd.luks.devices",
    "boot.kernelModules",
    "boot.extraModulePackages",
    "boot.swraid",
    "fileSystems",
    "swapDevices",
    "networking.useDHCP",
    "networking.interfaces",
    "nixpkgs.hostPlatform",
    "hardware.cpu.amd.updateMicrocode",
    "hardware.cpu.intel.updateMicrocode",
)
_SYNTAX = frozenset(
    {
        *("source_code", "comment", "function_expression", "formals", "formal", "identifier", "ellipses"),
        *("attrset_expression", "binding_set", "binding", "attrpath", "list_expression", "parenthesized_expression"),
        *("binary_expression", "variable_expression", "string_expression", "string_fragment", "escape_sequence"),
        *("integer_expression", "apply_expression", "select_expression"),
    }
)
_MODULE = re.compile(r'"/(?:profiles|installer/scan)/[a-z0-9-]+\.nix"')
"""What nixos-generate-config imports from modulesPath; `..` in such a path would lead anywhere."""
_NAMES = frozenset({"lib.mkDefault", "modulesPath", "true", "false", "config.hardware.enableRedistributableFirmware"})
_SIZE_LIMIT = 64 * 1024
_LINES, _SHOWN = 4, 120
"""How much of what is no module an error shows."""


async def probe(world: World, step: Step) -> Probe:
    """Done when the main branch holds what the guest prints."""
    if await world.vms.find(step.host, step.facts) is None:
        return needed(f"{step.host} has no VM yet")
    if step.check and world.trust.get(step.host) is None:
        return needed("not booted yet")
    text = await read(world, step)
    if await world.repo.read(await world.expected(), hardware_file(step.host)) == text:
        return done(f"{hardware_file(step.host)} is what the guest prints", hardware=text)
    return needed("the main branch does not hold what the guest prints", hardware=text)


async def apply(world: World, step: Step) -> Outcome:
    """Check the text that `probe` read; `register` commits it."""
    text = step.facts.get("hardware") or await read(world, step)
    oddities = inspect(text)
    verdict = f"{len(oddities)} for a person to look at" if oddities else "all of the generator's making"
    return Outcome(
        status=Status.CHANGED,
        summary=f"{len(text.splitlines())} lines, {verdict}",
        evidence=oddities,
        facts={"hardware": text},
    )


async def commands(_world: World, _step: Step) -> Commands:
    """Nothing: `register` commits what was read."""
    return ()


async def read(world: World, step: Step) -> str:
    """The module that nixos-generate-config prints on the guest, read over SSH or, without it, through the agent.

    Raises: RemoteFailure when what it prints is none, as when something else writes to its output.
    """
    return await printed(await reader(world, step), step)


async def printed(guest: Reader, step: Step) -> str:
    """The module that nixos-generate-config prints on `guest`.

    Raises: RemoteFailure when what it prints is none.
    """
    text = await guest.read(argv.HARDWARE, sudo=True, timeout_s=90)
    _, wrong = _module_in(text)
    if wrong:
        raise RemoteFailure(
            f"{step.host} prints no hardware configuration",
            why=wrong,
            hint=f"see what `sudo {' '.join(argv.HARDWARE)}` prints on {step.host}"
            + (f"; when that is well: pvenix resume {step.run}" if step.run else ""),
            evidence=tuple(line[:_SHOWN] for line in text.splitlines()[:_LINES]),
            code="PVX0645",
        )
    return text


def _module_in(text: str) -> tuple[Node | None, str]:
    """The syntax tree of `text`, None when it has none, and why it is no module; empty when it is one."""
    if len(text) > _SIZE_LIMIT:
        return None, f"{len(text)} characters: far more than the generator writes"
    from pvenix.lifecycle import nixsyntax

    root = nixsyntax.parse(text)
    if root.has_error:
        return None, f"line {nixsyntax.first_error(root)}: not valid Nix"
    if not _is_module(root):
        return root, "line 1: not a function of named arguments that gives one attribute set"
    return root, ""


def inspect(text: str) -> tuple[str, ...]:
    """What in a hardware configuration is not of the generator's making, a line each; empty when all is expected."""
    root, wrong = _module_in(text)
    found = [wrong] if wrong else []
    if root is None:
        return tuple(found)
    from pvenix.lifecycle import nixsyntax

    for node in nixsyntax.walk(root):
        where, words = f"line {nixsyntax.line(node)}", " ".join(nixsyntax.source(node).split())[:60]
        parent = node.parent
        if node.is_named and node.type not in _SYNTAX:
            found.append(f"{where}: {node.type.replace('_', ' ')} `{words}`")
        elif node.type == "select_expression" and words not in _NAMES:
            found.append(f"{where}: uses {words}")
        elif node.type == "variable_expression" and words not in _NAMES:
            if parent is None or parent.type != "select_expression":
                found.append(f"{where}: uses {words}")
        elif node.type == "binary_expression" and not _is_import(node):
            found.append(f"{where}: computes {words}")
        elif node.type == "string_expression" and _is_imported(node) and not _is_import(parent):
            found.append(f"{where}: imports {words}")
        elif node.type == "attrpath" and _is_option(node.parent) and not _expected(words):
            found.append(f"{where}: sets {words}")
    return tuple(found)


def _is_module(root: Node) -> bool:
    """True for `{ a, b, ... }: { … }`, where no argument has a default of its own."""
    from pvenix.lifecycle import nixsyntax

    parts = [node for node in root.named_children if node.type != "comment"]
    if len(parts) != 1 or parts[0].type != "function_expression":
        return False
    halves = [node.type for node in parts[0].named_children if node.type != "comment"]
    plain = all(len(node.named_children) == 1 for node in nixsyntax.walk(parts[0]) if node.type == "formal")
    return plain and halves == ["formals", "attrset_expression"]


def _is_import(node: Node | None) -> bool:
    """True for `modulesPath + "/profiles/….nix"`, the only computation that the generator writes."""
    words = node.text.decode().split(" + ") if node is not None and node.text else []
    return len(words) == 2 and words[0] == "modulesPath" and _MODULE.fullmatch(words[1]) is not None


def _is_imported(node: Node) -> bool:
    """True for what stands in the module's list of imports."""
    above: Node | None = node
    while above is not None and above.type != "binding":
        above = above.parent
    return above is not None and (above.text or b"").lstrip(b'"').startswith(b"imports")


def _is_option(binding: object) -> bool:
    """True for a binding of the module itself, not of an attribute set inside it."""
    depth = 0
    node = binding
    while node is not None and getattr(node, "type", "") != "source_code":
        depth += getattr(node, "type", "") == "attrset_expression"
        node = getattr(node, "parent", None)
    return getattr(binding, "type", "") == "binding" and depth == 1


def _expected(name: str) -> bool:
    return any(name == option or name.startswith(f"{option}.") for option in _OPTIONS)
