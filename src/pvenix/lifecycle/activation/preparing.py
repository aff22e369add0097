"""What an attempt does before it touches the running system: root both systems, and ask the new one."""

from __future__ import annotations

from pvenix.lifecycle import argv
from pvenix.lifecycle.activation.attempt import Attempt
from pvenix.lifecycle.remote import Remote
from pvenix.model.errors import RemoteFailure


async def prepare(remote: Remote, attempt: Attempt) -> None:
    """Root both systems and show what would change; all of it may be done again.

    Raises: RemoteFailure when the new system refuses to be activated.
    """
    folder, roots = rooting(attempt)
    await remote.write(folder)
    for root in roots:
        await remote.write(root, show_output=False)
    allowed, changes = asking(attempt)
    check = await remote.try_read(allowed, sudo=True, timeout_s=120)
    if check.exit_status not in (0, 1) or "inhibitor" in check.stderr.lower():
        raise RemoteFailure("the new system refuses to be activated", why=check.stderr.strip()[-200:], code="PVX0620")
    dry = await remote.try_read(changes, sudo=True, timeout_s=120)
    remote.step.output(dry.stderr)


def rooting(attempt: Attempt) -> tuple[argv.Argv, list[argv.Argv]]:
    """Make the attempt's directory, and in it the roots of what runs, of what boots and of the new system."""
    folder = argv.attempt_dir(attempt.id)
    roots = (("old", attempt.old), ("profile", attempt.profile), ("new", attempt.new))
    return argv.make_dir(folder), [argv.root(path, f"{folder}/{link}") for link, path in roots]


def asking(attempt: Attempt) -> tuple[argv.Argv, argv.Argv]:
    """Ask the new system whether it may be activated, and what would change."""
    return argv.switch_to(attempt.new, "check"), argv.switch_to(attempt.new, "dry-activate")
