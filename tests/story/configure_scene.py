"""A VM that exists is brought to what its inventory declares: how a test says so, and what it asks of the far side."""

from __future__ import annotations

import json
import shutil
from functools import reduce
from typing import Any

from pvenix.fleet.load import load_fleet
from pvenix.lifecycle import notes
from pvenix.model.plan import ArgValue, Task
from tests.story.fault_scene import OLD, Done, Scene


def says(site: Scene, host: str = OLD, /, **fields: Any) -> None:
    """From now on the inventory says so of the host; `__` is the dot between a map and its field."""
    machine: dict[str, Any] = {}
    for name, value in fields.items():
        *maps, last = name.split("__")
        reduce(lambda below, key: below.setdefault(key, {}), maps, machine)[last] = value
    inventory = site.sim.root / "inventory"
    if not inventory.is_dir():
        shutil.copytree(site.golden.fleet.root / "inventory", inventory)
    file = inventory / "host_vars" / host / "more.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"machine": machine}))
    site.sim.fleet = load_fleet(site.golden.fleet.root, inventory=inventory)


async def configure(site: Scene, host: str = OLD, /, **args: ArgValue) -> Done:
    return await site.run(Task(verb="configure", args=args), hosts=(host,))


def recorded(site: Scene) -> dict[str, str]:
    return dict(notes.parse(str(site.vm(OLD).config["description"])).applied)


def boots(site: Scene) -> str:
    return str(site.guest(OLD).boot_id)


def disk(size: str = "10G", storage: str = "tankb1") -> list[dict[str, str]]:
    return [{"slot": "scsi1", "size": size, "storage": storage}]
