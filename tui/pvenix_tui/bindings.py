"""Key bindings, made from the registry of actions; a person's own keys are laid over them by the action's id."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from pvenix_tui.actions import in_scope


def bindings(*scopes: str) -> list[BindingType]:
    """Key bindings of the actions in these scopes."""
    return [
        Binding(action.key or "unbound", f"do('{action.id}')", action.label, show=False, id=action.id)
        for scope in scopes
        for action in in_scope(scope)
    ]
