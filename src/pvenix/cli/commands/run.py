"""`pvenix run PLAYBOOK`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pvenix.cli.lazy import Command
from pvenix.cli.nothing import NothingToDo
from pvenix.cli.selection import How, names_now, run_options
from pvenix.cli.settings import Settings
from pvenix.cli.starting import show_hosts, show_tasks, start
from pvenix.cli.values import pairs
from pvenix.model.errors import UsageError
from pvenix.model.nearest import did_you_mean

if TYPE_CHECKING:
    from pvenix.model.plan import RunPlan
    from pvenix.wiring import Workspace


@click.command(
    "run",
    cls=Command,
    examples=(
        "pvenix run playbooks/onboard.yaml -l tappaas-litellm",
        "pvenix run playbooks/rebuild-all.yaml -C        what would change; exit code 3 when something would",
        "pvenix run playbooks/rollback.yaml -l dns01 -e to=41",
        "pvenix run playbooks/rebuild-all.yaml --lab     on a simulated site that goes away afterwards",
    ),
)
@click.argument("playbook", help="The playbook's file, from here or from the fleet's root.")
@click.option("-t", "--tags", multiple=True, metavar="TAGS", help="Only tasks with one of these tags; a,b or repeated.")
@click.option("--skip-tags", multiple=True, metavar="TAGS", help="No task with one of these tags.")
@click.option("--start-at-task", metavar="NAME", default="", help="Begin with the task of this name.")
@click.option("-e", "--extra-vars", multiple=True, metavar="KEY=VALUE", help="A value for the verbs' arguments.")
@click.option("--list-tasks", is_flag=True, help="Print the tasks and do nothing.")
@run_options
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    playbook: str,
    how: How,
    tags: tuple[str, ...],
    skip_tags: tuple[str, ...],
    start_at_task: str,
    extra_vars: tuple[str, ...],
    list_tasks: bool,
) -> int:
    """Execute a playbook on the hosts that it names."""
    extra = pairs(extra_vars, "--extra-vars")

    async def planner(workspace: Workspace) -> RunPlan:
        plan = workspace.plan_playbook(
            playbook_path(settings, workspace.root, playbook),
            limit=await names_now(workspace, how.limit or "all"),
            tags=_words(tags),
            skip_tags=_words(skip_tags),
            start_at=start_at_task,
            extra=extra,
            **how.mode,
        )
        if not plan.hosts:
            raise NothingToDo(f"{playbook} and {how.limit or 'all'} have no host in common")
        return plan

    if list_tasks:
        return show_tasks(settings, planner)
    return show_hosts(settings, planner) if how.list_hosts else start(settings, planner, now=how.now)


def playbook_path(settings: Settings, root: Path, text: str) -> Path:
    """The file that `text` means: from here, else from the fleet's root; a lab has its own copy of the fleet's.

    Raises: UsageError with the nearest name.
    """
    given = Path(text).absolute()
    if settings.lab:
        from pvenix.cli.lab import fleet_source

        source = fleet_source(settings.start)
        if given.is_relative_to(source):
            given = root / given.relative_to(source)
    for path in (given, root / text):
        if path.is_file():
            return path
    names = [f"playbooks/{path.name}" for path in sorted((root / "playbooks").glob("*.yaml"))]
    folder = next((path for path in (given, root / text) if path.is_dir()), None)
    if folder is not None:
        below = ", ".join(f"{text.rstrip('/')}/{path.name}" for path in sorted(folder.glob("*.y*ml"))) or "none"
        raise UsageError(f"{text!r} is a folder", hint=f"the playbooks in it: {below}")
    raise UsageError(f"there is no playbook {text!r}", hint=did_you_mean(text, names))


def _words(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word.strip() for text in texts for word in text.split(",") if word.strip())
