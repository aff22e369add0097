"""Groups of commands about hosts that show a host where no command is named."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from pvenix.cli.lazy import Group
from pvenix.cli.selection import complete_hosts


class HostsFirst(Group):
    """A group whose first word may also be a host: `pvenix drift dns01` is `pvenix drift show dns01`."""

    def __init__(self, *args: Any, default: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.default = default

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            return self.default, self.commands[self.default], args
        return super().resolve_command(ctx, args)

    @override
    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        hosts = complete_hosts(ctx, self.params[0], incomplete)
        return [*super().shell_complete(ctx, incomplete), *(CompletionItem(host) for host in hosts)]
