"""What an attempt does before it touches the running system: root both systems, show what changes, ask the new one."""

from __future__ import annotations

from pvenix.engine.step import Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation.attempt import Attempt
from pvenix.lifecycle.remote import Remote
from pvenix.model.errors import RemoteFailure

_SHOWN = 20
"""Lines of a closure diff that go into the step's evidence; the host's log has all."""
_CHANGES = "changes"


async def prepare(remote: Remote, attempt: Attempt) -> None:
    """Root both systems, show what would change, and ask the new one; all of it may be done again.

    Raises: RemoteFailure when the new system refuses to be activated.
    """
    await keep(remote, attempt)
    allowed, changes = asking(attempt)
    check = await remote.try_read(allowed, sudo=True, timeout_s=120)
    if check.exit_status not in (0, 1) or "inhibitor" in check.stderr.lower():
        raise RemoteFailure(
            "the new system refuses to be activated",
            why=check.stderr.strip()[-200:],
            hint=by_boot(remote.step.host),
            code="PVX0620",
        )
    dry = await remote.try_read(changes, sudo=True, timeout_s=120)
    remote.step.output(dry.stderr)


async def keep(remote: Remote, attempt: Attempt) -> None:
    """Root both systems, and show how their closures differ."""
    folder, roots = rooting(attempt)
    await remote.write(folder)
    for root in roots:
        await remote.write(root, show_output=False)
    if attempt.old == attempt.new:
        return
    diff = await remote.try_read(argv.closure_diff(attempt.old, attempt.new), sudo=True, timeout_s=120)
    lines = [line.strip() for line in diff.stdout.splitlines() if line.strip()]
    if diff.ok:
        remote.step.tell(f"{len(lines)} package changes" + (f": {'; '.join(lines[:3])}" if lines else ""))
        remote.step.output("".join(f"{line}\n" for line in lines))
        remote.step.evidence(**{_CHANGES: "\n".join(lines[:_SHOWN])})
    else:
        remote.step.tell(f"what changes could not be shown: {diff.stderr.strip()[-200:]}")


def changes_known(step: Step) -> tuple[str, ...]:
    """The package changes that were shown before the activation, as far as they are kept."""
    return tuple(step.known.get(_CHANGES, "").splitlines())


def by_boot(host: str) -> str:
    """How a system is brought that only a reboot can activate."""
    return f"pvenix rebuild {host} --set update.strategy=boot, then: pvenix reboot {host}"


def rooting(attempt: Attempt) -> tuple[argv.Argv, list[argv.Argv]]:
    """Make the attempt's directory, and in it the roots of what runs, of what boots and of the new system."""
    folder = argv.attempt_dir(attempt.id)
    roots = (("old", attempt.old), ("profile", attempt.profile), ("new", attempt.new))
    return argv.make_dir(folder), [argv.root(path, f"{folder}/{link}") for link, path in roots]


def asking(attempt: Attempt) -> tuple[argv.Argv, argv.Argv]:
    """Ask the new system whether it may be activated, and what would change."""
    return argv.switch_to(attempt.new, "check"), argv.switch_to(attempt.new, "dry-activate")
