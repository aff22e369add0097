"""What the global options say, and the ways from there to a fleet: this directory, another one, or a throw-away lab."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pvenix.cli.values import pairs
from pvenix.engine.readonly import by_environment, refuse
from pvenix.model.errors import UsageError
from pvenix.model.plan import ArgValue, RunPlan
from pvenix.model.secret import KNOWN

if TYPE_CHECKING:
    from pvenix.fleet.load import Fleet
    from pvenix.wiring import Workspace

T = TypeVar("T")


class Output(StrEnum):
    """What stdout carries."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


class GlobalOption(click.Option):
    """An option that every command takes; it says the same before and after the command's name."""


@dataclass(slots=True, kw_only=True)
class Settings:
    """The global options of one invocation; filled while the command line is parsed, read after that."""

    fleet: Path | None = None
    inventory: Path | None = None
    output: Output = Output.TEXT
    color: str = "auto"
    no_input: bool = False
    yes: bool = False
    lab: bool = False
    read_only: bool = False
    debug: bool = False
    verbose: int = 0
    overrides: dict[str, ArgValue] = field(default_factory=dict)
    """`--set FIELD=VALUE`, the highest layer of every machine."""
    site_asked: bool = False
    """True once something outside of this machine was to be asked."""
    opener: Callable[..., Workspace] | None = None
    """Makes the workspace; tests put theirs here."""

    @property
    def start(self) -> Path:
        """The directory from which the fleet's root is looked for upwards.

        Raises: UsageError when the current directory has been removed.
        """
        try:
            return (self.fleet or Path()).resolve()
        except FileNotFoundError as error:  # only asking for the current directory fails so: `resolve` is not strict
            raise UsageError("the current directory has been removed", hint="cd to one that exists") from error

    def as_planned(self, plan: RunPlan) -> bool:
        """Read the fleet as the run's own command line did, whatever today's says; True when that makes a difference."""
        inventory = Path(plan.inventory) if plan.inventory else None
        today = self.inventory.absolute() if self.inventory else None
        differs = (today, self.overrides) != (inventory, plan.extra)
        self.inventory, self.overrides = inventory, dict(plan.extra)
        return differs

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """The fleet's workspace; with `--lab`, one on a site that exists for the length of the context only.

        Raises: UsageError when there is no fleet.
        """
        if not self.lab:
            yield self.open(self.start)
            return
        from pvenix.cli.lab import throwaway_lab

        with throwaway_lab(self.start, say=talk) as fleet:
            yield self.open(fleet)

    def open(self, start: Path) -> Workspace:
        """The workspace of the fleet at or above `start`."""
        if self.opener is None:
            from pvenix.wiring import Workspace

            self.opener = Workspace.open
        looking = {"read_only": True} if self.read_only else {}
        return self.opener(start, inventory=self.inventory, extra=self.overrides, **looking)

    def refuse_edit(self) -> None:
        """Return when files of the fleet may be written.

        Raises: ReadOnly.
        """
        self.refuse_change("edit the fleet's files")

    def refuse_change(self, what: str) -> None:
        """Return when `what` may be done; for what is known before a fleet is opened.

        Raises: ReadOnly.
        """
        if self.read_only or by_environment():
            refuse(what)

    def run_async(self, action: Callable[[Workspace], Awaitable[T]]) -> T:
        """What `action` returns on the open workspace, which is closed afterwards."""
        import asyncio

        from pvenix.cli.prompts import secret_asker

        self.site_asked = True

        async def body(workspace: Workspace) -> T:
            workspace.ask = secret_asker(self)
            try:
                return await action(workspace)
            finally:
                await workspace.close()

        with self.workspace() as workspace:
            return asyncio.run(body(workspace))

    @contextmanager
    def loaded(self) -> Iterator[Fleet]:
        """The fleet's files, read and valid.

        Raises: UsageError when there is no fleet, InvalidInput with all findings.
        """
        with self.workspace() as workspace:
            yield workspace.fleet()


def talk(text: str) -> None:
    """Say something that is not the result: on stderr."""
    click.echo(KNOWN.clean(text), err=True)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    settings = ctx.ensure_object(Settings)
    name = param.name or ""
    if ctx.get_parameter_source(name) is click.core.ParameterSource.DEFAULT:
        return
    match name:
        case "output":
            settings.output = Output(value)
        case "set_":
            settings.overrides.update(pairs(value, "--set"))
        case "color":
            ctx.color = ctx.find_root().color = {"always": True, "never": False}.get(value, ctx.color)
            settings.color = value
        case _:
            setattr(settings, name, value)


def global_options(*, environment: bool = False) -> list[click.Parameter]:
    """The options that every command takes; only the root's also read the environment."""

    def option(*names: str, env: str = "", help: str, **more: Any) -> GlobalOption:  # noqa: A002 - click's word
        return GlobalOption(
            names,
            help=f"{help} [env: {env}]" if env else help,
            envvar=env if env and environment else None,
            expose_value=False,
            callback=_remember,
            **more,
        )

    path = click.Path(path_type=Path)
    return [
        option("--fleet", env="PVENIX_FLEET", type=path, metavar="DIR", help="The fleet's directory."),
        option("-i", "--inventory", env="PVENIX_INVENTORY", type=path, help="Another inventory."),
        option("--set", "set_", multiple=True, metavar="FIELD=VALUE", help="Overrule a machine field for every host."),
        option("--lab", is_flag=True, help="Use a simulated site for this command only."),
        option(
            "-o", "--output", env="PVENIX_OUTPUT", type=click.Choice([each.value for each in Output]), metavar="FORMAT",
            help="text, json or jsonl.",
        ),
        option(
            "--color", env="PVENIX_COLOR", type=click.Choice(["auto", "always", "never"]), metavar="WHEN",
            help="auto, always or never.",
        ),
        option("--no-input", env="PVENIX_NO_INPUT", is_flag=True, help="Never ask."),
        option("--read-only", is_flag=True, help="Change nothing, only look. [env: PVENIX_READ_ONLY]"),
        option("--yes", is_flag=True, help="Answer yes to yes-or-no questions."),
        option("-v", "--verbose", count=True, help="Show commands; twice: the hosts' output."),
        option("--debug", env="PVENIX_DEBUG", is_flag=True, help="Show a traceback with an error."),
    ]  # fmt: skip
