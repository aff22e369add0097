"""The backend's playbooks: real files below the test's root, read and planned by the real readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pvenix.fleet.playbook import load_playbook
from pvenix.fleet.playbooks import Playbook, playbooks
from pvenix.fleet.plays import expand, refuse_unknown_tags
from pvenix.model.plan import ArgValue, RunPlan

REBUILD = """\
# Bring every host to main, one first. Hosts that cannot be built stay as they are.
#   pvenix run playbooks/all.yaml -C
- name: Look
  hosts: all
  tasks:
    - name: Reachable, space
      preflight:
      tags: [look]
- name: Activate
  hosts: all
  serial: [1, "50%"]
  tasks:
    - name: Test it, confirm it
      rebuild:
      tags: [activate]
"""
BACK = """\
# Back to a generation by its number.
- name: Go back
  hosts: all
  tasks:
    - name: Activate the named generation
      rollback:
"""
BROKEN = """\
# Nobody can run this.
- name: Broken
  hosts: all
  tasks:
    - rebiuld:
"""


@dataclass
class FakePlaybooks:
    """A fleet's folder `playbooks`; a test writes into it."""

    root: Path

    def add_playbook(self, name: str, text: str) -> Path:
        """Write a playbook."""
        path = self.root / "playbooks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def playbooks(self) -> tuple[Playbook, ...]:
        return tuple(each for each in playbooks(self.root) if not each.ships)

    def plan_playbook(
        self,
        path: Path,
        *,
        limit: str = "all",
        tags: Sequence[str] = (),
        skip_tags: Sequence[str] = (),
        start_at: str = "",
        extra: Mapping[str, ArgValue] | None = None,
        **mode: Any,
    ) -> RunPlan:
        plays = load_playbook(path, self.root)
        refuse_unknown_tags(plays, (*tags, *skip_tags))
        limited = self.fleet().select(limit)  # type: ignore[attr-defined] # the fake backend has it
        found = tuple(
            expand(
                play,
                [host for host in self.fleet().select(play.hosts.text) if host in limited],  # type: ignore[attr-defined]
                tags=tags,
                skip_tags=skip_tags,
                start_at=start_at,
                extra=extra,
            )
            for play in plays
        )
        return RunPlan(title=path.stem, plays=found, fleet=str(self.root), named=False, **mode)
