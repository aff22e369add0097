"""Playbooks of the fleet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from typing_extensions import override

from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.widgets.rows import Document, Rows


class PlaybooksScreen(PvenixScreen[None]):
    """The area."""

    scope = "playbooks"
    area = "playbooks"
    BINDINGS: ClassVar[list[BindingType]] = bindings("playbooks")

    @override
    def body(self) -> Iterable[Widget]:
        yield Rows(Document(lambda _: ()), id="playbooks")
