"""What Ansible's documentation says of a play's batches, as a program of its own: nothing of pvenix is imported here.

The words (docs.ansible.com, playbook guide, "Controlling playbook execution", "Error handling in playbooks" and the
linear strategy):

- serial: a number, a percentage of the play's hosts or a list of both; the last of a list serves all further batches;
  however small the percentage, a batch has at least one host. The play is completed on a batch before the next one.
- Tasks go in lockstep: every host of the batch has ended a task before the next one begins; a host that failed or
  cannot be reached does no further task, and the others go on.
- "By default, Ansible continues to execute tasks as long as there are hosts that have not yet failed."
- max_fail_percentage applies to each batch: the rest of the play is aborted when more than so many percent failed;
  "the percentage set must be exceeded, not equaled".
- any_errors_fatal: the task is finished on all hosts in the current batch, then the play stops for all hosts.
- run_once: the first host of each batch does the task, and its result counts for all of the batch.
- throttle: the most hosts that do the task at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class OracleTask:
    """A task, and the hosts on which it ends badly."""

    bad: frozenset[str] = frozenset()
    run_once: bool = False
    throttle: int = 0


@dataclass(frozen=True, kw_only=True)
class OraclePlay:
    """A play."""

    hosts: tuple[str, ...]
    tasks: tuple[OracleTask, ...]
    serial: tuple[int | str, ...] = ()
    """Numbers, or texts such as "25%"."""
    max_fail_percentage: float | None = None
    any_errors_fatal: bool = False


@dataclass(frozen=True, kw_only=True)
class Told:
    """What has to happen."""

    done: frozenset[tuple[str, int]]
    """Each host with the numbers of the tasks that it does, well or badly."""
    failed: frozenset[str] = frozenset()
    stopped: frozenset[str] = frozenset()
    """Hosts that did not fail and did not come to their end."""
    batches: tuple[tuple[str, ...], ...] = ()


@dataclass
class _Record:
    done: set[tuple[str, int]] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)


def batches_of(hosts: Sequence[str], serial: Sequence[int | str]) -> tuple[tuple[str, ...], ...]:
    """The batches of a play over these hosts."""
    left, sizes, batches = list(hosts), list(serial) or [len(hosts)], []
    while left:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        if isinstance(size, str):
            size = max(1, int(float(size.rstrip("%")) / 100.0 * len(hosts) + 1e-9))
        batches.append(tuple(left[:size]))
        del left[:size]
    return tuple(batches)


def oracle(play: OraclePlay) -> Told:
    """The end of the play."""
    record, batches = _Record(), batches_of(play.hosts, play.serial)
    for batch in batches:
        if not _batch(play, batch, record):
            break
    stopped = set(play.hosts) - record.failed - record.finished
    return Told(
        done=frozenset(record.done), failed=frozenset(record.failed), stopped=frozenset(stopped), batches=batches
    )


def _batch(play: OraclePlay, batch: Sequence[str], record: _Record) -> bool:
    """Whether the play goes on after this batch."""
    active = list(batch)
    for number, task in enumerate(play.tasks):
        actors = active[:1] if task.run_once else active
        bad = [host for host in actors if host in task.bad]
        record.done |= {(host, number) for host in actors}
        record.failed |= set(bad)
        if number == len(play.tasks) - 1 and not (bad and task.run_once):
            record.finished |= set(active) - set(bad)
        if bad and (task.run_once or play.any_errors_fatal):
            return False
        active = [host for host in active if host not in bad]
        share = 100.0 * (len(batch) - len(active)) / len(batch)
        if not active or (play.max_fail_percentage is not None and share > play.max_fail_percentage):
            return False
    return True


def ansible_playbook(play: OraclePlay, names: Mapping[int, str]) -> list[dict[str, object]]:
    """The same play for ansible-playbook; a task is known by its name there, and writes who did it."""
    return [
        {
            "hosts": "all",
            "gather_facts": False,
            "connection": "local",
            **({"serial": list(play.serial)} if play.serial else {}),
            **({} if play.max_fail_percentage is None else {"max_fail_percentage": play.max_fail_percentage}),
            "any_errors_fatal": play.any_errors_fatal,
            "tasks": [
                {
                    "name": names[number],
                    "debug": {"msg": "done"},
                    "failed_when": f"inventory_hostname in {sorted(task.bad)}",
                    **({"run_once": True} if task.run_once else {}),
                    **({"throttle": task.throttle} if task.throttle else {}),
                }
                for number, task in enumerate(play.tasks)
            ],
        }
    ]
