"""Write into the inventory of this checkout what of a host is no drift."""

from __future__ import annotations

from pvenix.model.act import Act
from pvenix.model.errors import UsageError
from pvenix.model.paths import vars_file
from pvenix.wiring.noting import Noting


class Ignoring(Noting):
    """Edits of `machine.drift.ignore`; they change files and commit nothing."""

    def ignore_drift(self, host: str, path: str) -> str:
        """Add a path or a pattern to what may be edited on a host; the diff of its host_vars, empty when it was there.

        Raises: UsageError for an unknown host and for a pattern that `pvenix lint` would find, InvalidInput for what is
            no such path, LocalResource.
        """
        from pvenix.fleet.edit import set_machine
        from pvenix.fleet.editing import apply_edits
        from pvenix.fleet.yaml import parse

        self.refuse_change("edit the inventory")
        found = self.fleet().host(host)
        _refuse_pattern(path)
        if path in found.machine.drift.ignore:
            return ""
        name = vars_file(found.name)
        file = self.root / name
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        tree = parse(text, name)
        own = tree.get("machine", "drift", "ignore") if tree is not None else None
        key = "ignore" if own is not None else "ignore+"
        present = own if own is not None else tree.get("machine", "drift", key) if tree is not None else None
        listed = present.plain() if present is not None else []
        value = [*(listed if isinstance(listed, list) else [listed]), path]
        diff = apply_edits(self.root, {file: set_machine(text, ("drift", key), value)}, inventory=self._inventory)
        if path not in self.fleet().host(host).machine.drift.ignore:
            raise UsageError(
                f"{name} has {path} now, and a stronger layer says otherwise",
                hint=f"pvenix inventory explain {host} drift.ignore",
                code="PVX0684",
            )
        self.note(Act.EDIT_HOST, host=found.name, about=name)
        return diff


def _refuse_pattern(pattern: str) -> None:
    from pvenix.lifecycle.lint.ignores import broken
    from pvenix.model.lint import RULES

    if found := broken(pattern):
        rule = RULES[found[0]]
        why = f"{rule.what} ({rule.code}): {rule.why}"
        raise UsageError(f"{pattern} cannot be ignored", why=why, hint=rule.hint, code="PVX0685")
