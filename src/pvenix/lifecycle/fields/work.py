"""What has to be done so that a VM is as its inventory wants it: calls in order, each with the record of what it wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pvenix.engine.ports import VmPending
from pvenix.lifecycle import notes
from pvenix.lifecycle.calls import Call, VmCalls
from pvenix.lifecycle.fields.compare import BOOT, OUTSIDE, UNKNOWN, is_device, recorded_as, told
from pvenix.lifecycle.fields.spelling import changes
from pvenix.lifecycle.fields.values import CLOUD_INIT, DISK, mib_of
from pvenix.lifecycle.fields.wanted import Wanted
from pvenix.lifecycle.notes import Notes
from pvenix.model.fleetplan import Effect, FieldPlan, FieldState


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A VM as it was read, beside what is wanted of it."""

    wanted: tuple[Wanted, ...]
    fields: tuple[FieldPlan, ...]
    seen: VmPending
    storage: str
    """For new disks of which the inventory does not say where."""
    boot: str = ""
    """The guest's boot id, where cloud-init's values are going to change under a running guest."""
    off: bool = False
    """True when the VM is off while it is written, so that its next boot takes everything."""
    whole: bool = False
    """True when `wanted` is all that is wanted, so that the record of anything else has had its time."""
    inherited: str = ""
    """Tags that a clone has from its template."""

    @property
    def notes(self) -> Notes:
        """The VM's notes."""
        return notes.parse(self.seen.config.values.get("description", ""))

    @property
    def present(self) -> dict[str, str]:
        """The options as they are or will be after the next cold start."""
        return {**self.seen.config.values, **self.seen.waiting}

    def differing(self, *effects: Effect) -> list[FieldPlan]:
        """The fields that an apply would write, of some effects only if asked."""
        return [one for one in self.fields if one.state.differs and (not effects or one.effect in effects)]

    def of(self, plan: FieldPlan) -> Wanted | None:
        """The wish that a field's plan is about; None for something that is to go."""
        return next((one for one in self.wanted if one.field == plan.field), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grow:
    """A disk to grow."""

    disk: str
    gib: int

    def call(self, vm: VmCalls, _view: View) -> Call[str]:
        """The call; gives a UPID."""
        return vm.resize(self.disk, self.gib)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A disk to move to another storage."""

    disk: str
    storage: str

    def call(self, vm: VmCalls, view: View) -> Call[str]:
        """The call; gives a UPID."""
        return vm.move_disk(self.disk, self.storage, digest=view.seen.config.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Options to write in one call, with the record."""

    keys: tuple[str, ...]
    done: frozenset[str]
    """Fields that are as wanted once this is written."""
    booted: bool = False
    """True once the guest has booted with what cloud-init was told."""

    @property
    def disk(self) -> str:
        """The disk that it is about, empty for anything else."""
        return self.keys[0] if len(self.keys) == 1 and DISK.fullmatch(self.keys[0]) else ""

    def call(self, vm: VmCalls, view: View) -> Call[None]:
        """The call; refused by Proxmox when somebody wrote meanwhile."""
        values, deleted = self.changes(view)
        return vm.configure(values, delete=deleted, digest=view.seen.config.digest)

    def changes(self, view: View) -> tuple[dict[str, str], list[str]]:
        """What is set and deleted."""
        options = [key for key in self.keys if key != "description"]
        ours = view.notes.applied.get("tags", view.inherited)
        values, deleted = changes(options, view.wanted, view.present, storage=view.storage, ours=ours)
        return values | self._description(view), deleted

    def _description(self, view: View) -> dict[str, str]:
        """The notes with the record; those of a VM that is not marked as ours only where the inventory has them."""
        before = view.notes
        text = next((one.value for one in view.wanted if one.key == "description"), None)
        declared = text is not None and "description" in self.keys
        if declared:
            before = replace(before, above=text or "", below="")
        if not before.host:
            return {"description": str(before)} if declared else {}
        return {"description": str(replace(before, applied=self._applied(view, before.applied)))}

    def _applied(self, view: View, before: Mapping[str, str]) -> dict[str, str]:
        asked = {one.key for one in view.wanted}
        gone = {key for key in self.keys if key not in asked}
        ids = {one.id for one in view.wanted}
        applied = {name: value for name, value in before.items() if name.partition(".")[0] not in gone}
        if view.whole:
            there = {key for key in view.present if is_device(key)}
            keep = {name for name in applied if name in ids or name == BOOT or name.partition(".")[0] in there - asked}
            keep |= set() if "backup.job" in self.done else {"backup"}
            applied = {name: value for name, value in applied.items() if name in keep}
        for one in view.wanted:
            if one.field in self.done and one.value:
                applied[one.id] = recorded_as(one.value)
            elif one.field in self.done:
                applied.pop(one.id, None)
        if self.booted or view.off:
            applied.pop(BOOT, None)
        if view.boot and not view.off and any(CLOUD_INIT.fullmatch(key) for key in self.keys):
            applied[BOOT] = self._told(view, before)
        return applied

    def _told(self, view: View, before: Mapping[str, str]) -> str:
        """The guest's boot with the values that it has not seen: those of this call, and of others in the same boot."""
        boot, names = told(before)
        differs = {one.field for one in view.differing() if one.key in self.keys and CLOUD_INIT.fullmatch(one.key)}
        fresh = {one.id for one in view.wanted if one.field in differs}
        earlier = names if boot == UNKNOWN or view.boot.startswith(boot) else frozenset[str]()
        return f"{view.boot[:8]} {','.join(sorted(fresh | earlier))}"


Action = Grow | Move | Put


def work(view: View, take: Sequence[FieldPlan]) -> tuple[Action, ...]:
    """What brings the fields `take` about: disks that grow or move, new ones, all other options in one call, old disks.

    What lies outside of the configuration comes before it, and only its record is among it. Something that was done leaves a
    record, nothing else does.
    """
    fields = [one for one in take if one.key not in OUTSIDE]
    joined = [one.field for one in take if one.key in OUTSIDE and one.key != "node"]
    tasks = [action for one in fields for action in _tasks(view, one)]
    written = [one for one in fields if not _is_task(view, one)]
    disks = list(dict.fromkeys(one.key for one in written if DISK.fullmatch(one.key)))
    gone = [key for key in disks if all(view.of(one) is None for one in written if one.key == key)]
    rest = tuple(dict.fromkeys(one.key for one in written if one.key not in disks))
    steps = [*((key,) for key in disks if key not in gone), *([rest] if rest else []), *((key,) for key in gone)]
    done = {one.field for one in view.fields if one.state in (FieldState.EQUAL, FieldState.PENDING)}
    done |= {*joined, *(one.field for one in fields if _is_task(view, one))}
    puts = []
    for keys in steps or ([()] if tasks or joined else []):
        done |= {one.field for one in written if one.key in keys}
        puts.append(Put(keys=keys, done=frozenset(done)))
    return (*tasks, *puts)


def _is_task(view: View, plan: FieldPlan) -> bool:
    one = view.of(plan)
    return one is not None and one.part in ("size", "storage") and bool(view.present.get(plan.key))


def _tasks(view: View, plan: FieldPlan) -> Iterator[Grow | Move]:
    one = view.of(plan)
    if one is None or not _is_task(view, plan):
        return
    if one.part == "size":
        yield Grow(disk=one.key, gib=round(mib_of(one.value) / 1024))
    else:
        yield Move(disk=one.key, storage=one.value)
