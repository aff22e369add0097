"""Desired, recorded, actual: how each field of a VM stands, and what it would take to bring it about."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pvenix.engine.ports import VmPending
from pvenix.lifecycle import notes
from pvenix.lifecycle.fields.effects import SYS_MODIFY, Doing, effect_of
from pvenix.lifecycle.fields.values import CLOUD_INIT, DISK, NIC, ROOT_DISK, mib_of, read
from pvenix.lifecycle.fields.wanted import Wanted
from pvenix.model.fleetplan import Effect, FieldPlan, FieldState

LONGEST: Final = 48
"""Characters of a value that the record keeps as it is; of a longer one it keeps the hash."""
BOOT: Final = "cloud-init.boot"
"""In the record: the guest's boot when cloud-init's values were last written, and which were (`told`), so that a later look
knows whether it has booted since. Around a VM: its boot id now, empty when its agent is silent."""
UNKNOWN: Final = "unknown"
"""The boot of a guest whose agent was silent when cloud-init's values were written: only our own reboot ends the wait."""
OUTSIDE: Final = ("pool", "node", "backup")
"""Keys that are no options of the configuration; what they are now comes with `around`."""
_HOUSEKEEPING: Final = re.compile(
    r"name|description|digest|smbios1|vmgenid|meta|lock|template|parent|snaptime|unused\d+|boot|agent|.*cloudinit.*"
)


def compare(
    wanted: Sequence[Wanted],
    recorded: Mapping[str, str],
    seen: VmPending,
    *,
    running: bool,
    around: Mapping[str, str] | None = None,
) -> tuple[FieldPlan, ...]:
    """How each wanted field stands, what we once added and the inventory no longer has, and what is not managed.

    `recorded` is `Notes.applied`; `around` says what is outside of the configuration (`OUTSIDE`, `BOOT`): a field of those that
    it does not tell is left out. Without a record every difference is a change.
    """
    protection = next((one.value for one in wanted if one.key == "protection"), "")
    protected = protection or read("protection", "", seen.config.values.get("protection", ""))
    look = _Look(recorded=recorded, seen=seen, running=running, around=around or {}, protected=protected == "1")
    plans = [look.plan(one) for one in wanted if one.key not in OUTSIDE or one.key in look.around]
    return (*plans, *look.removed(wanted), *look.unmanaged(wanted))


def recorded_as(value: str) -> str:
    """A value as the record keeps it."""
    if len(value) <= LONGEST:
        return value
    return f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:12]}"


def told(recorded: Mapping[str, str]) -> tuple[str, frozenset[str]]:
    """The beginning of the guest's boot id when cloud-init's values were last written, and which values were."""
    boot, _, names = recorded.get(BOOT, "").partition(" ")
    return boot, frozenset(names.split(",")) - {""}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    recorded: Mapping[str, str]
    seen: VmPending
    running: bool
    around: Mapping[str, str]
    protected: bool

    def plan(self, one: Wanted) -> FieldPlan:
        """How the field stands."""
        now, later = self._values(one)
        record = self.recorded.get(one.id)
        state = self._state(one, now, later, record)
        doing = self._doing(one.key, one.part, later, one.value)
        effect, note = effect_of(doing) if state is not FieldState.EQUAL else (Effect.LIVE, "")
        if lost := self._lost_disk(one.key):
            effect, note = Effect.REFUSE, lost
        elif one.part == "size" and self._absent_disk(one.key) and (kept := self._unused()):
            note = f"a new and empty one; {kept} stays unused"
        if state.differs and later != now:
            note = "; ".join(filter(None, (note, f"{later or 'nothing'} waits for a cold start")))
        if one.key == "description" and (over := self._too_long(one.value)) > 0:
            effect, note = Effect.REFUSE, f"the notes are {over} characters too long beside pvenix's own lines"
        return FieldPlan(
            field=one.field,
            key=one.key,
            state=state,
            effect=effect,
            desired=one.value,
            recorded=record or "",
            actual=now,
            later=later if later != now else None,
            where=one.where,
            note=note,
        )

    def _doing(self, key: str, part: str, old: str, new: str) -> Doing:
        config = self.seen.config.values
        return Doing(
            key=key,
            part=part,
            old=old,
            new=new,
            present=config.get(key, ""),
            running=self.running,
            hotplug=config.get("hotplug", ""),
            protected=self.protected,
        )

    def _values(self, one: Wanted) -> tuple[str, str]:
        """What is in effect, and what will be after the next cold start."""
        if one.key in OUTSIDE:
            value = self.around[one.key]
            if one.key == "backup":
                value = one.value if one.value in value.split(",") else ""
            return value, value
        text = self.seen.config.values.get(one.key, "")
        waiting = self.seen.waiting.get(one.key, text)
        if one.key == "description":
            return notes.parse(text).text.strip(), notes.parse(waiting).text.strip()
        return read(one.key, one.part, text), read(one.key, one.part, waiting)

    def _state(self, one: Wanted, now: str, later: str, record: str | None) -> FieldState:
        if self._same(one, later):
            unread = CLOUD_INIT.fullmatch(one.key) and self.running and self._not_booted_since(one)
            return FieldState.EQUAL if self._same(one, now) and not unread else FieldState.PENDING
        if record is None:
            return FieldState.CHANGE
        if record == recorded_as(one.value):
            return FieldState.DRIFT
        return FieldState.CHANGE if self._as_recorded(one, later, record) else FieldState.CONFLICT

    def _lost_disk(self, key: str) -> str:
        """What to know of a disk that somebody detached: an empty one in its place would be taken for it."""
        ours = key == ROOT_DISK or any(name.partition(".")[0] == key for name in self.recorded)
        if not ours or not self._absent_disk(key):
            return ""
        return (
            f"somebody detached it, and no empty disk takes its place: attach it again ({self._unused() or 'none'} is "
            "unused), or where it is gone for good take the line pvenix-applied out of the VM's notes"
        )

    def _absent_disk(self, key: str) -> bool:
        """True for a disk that the VM has not, and will not have after a cold start."""
        return bool(DISK.fullmatch(key)) and not self.seen.waiting.get(key, self.seen.config.values.get(key, ""))

    def _unused(self) -> str:
        """The volumes that were detached and still belong to the VM."""
        values = self.seen.config.values.items()
        return ", ".join(f"{name} {value}" for name, value in values if name.startswith("unused"))

    def _too_long(self, text: str) -> int:
        there = notes.parse(self.seen.config.values.get("description", ""))
        return len(str(replace(there, above=text, below="", applied={}))) - notes.LIMIT

    def _as_recorded(self, one: Wanted, actual: str, record: str) -> bool:
        """True when nobody but the inventory changed the field; a disk only grows, so a smaller one is no conflict."""
        if one.key == "tags":
            return set(record.split(";")) <= set(actual.split(";"))
        grows = one.part == "size" and mib_of(actual) < mib_of(one.value)
        return grows or record == recorded_as(actual)

    def _same(self, one: Wanted, actual: str) -> bool:
        if one.key == "tags":
            there, ours = set(actual.split(";")), set(self.recorded.get("tags", "").split(";"))
            asked = set(one.value.split(";"))
            return asked <= there and not (ours - asked - {""}) & there
        if one.key == "machine" and one.value in ("q35", "pc"):
            return actual == one.value or ("q35" in actual) is (one.value == "q35")
        return actual == one.value

    def _not_booted_since(self, one: Wanted) -> bool:
        """True when the value was written in the boot that the guest still runs, or nobody knows of another."""
        boot, names = told(self.recorded)
        now = self.around.get(BOOT, "")
        return one.id in names and (boot == UNKNOWN or not now or now.startswith(boot))

    def removed(self, wanted: Sequence[Wanted]) -> Iterator[FieldPlan]:
        """Disks, cards, devices and a backup job that came with the inventory, which has them no more."""
        job = self.recorded.get("backup", "")
        if job in self.around.get("backup", "").split(",") and job and not any(one.key == "backup" for one in wanted):
            yield FieldPlan(
                field="backup.job",
                key="backup",
                state=FieldState.CHANGE,
                effect=Effect.LIVE,
                recorded=job,
                actual=job,
                note=SYS_MODIFY,
            )
        asked = {one.key for one in wanted}
        ours = dict.fromkeys(key for key in (one.partition(".")[0] for one in self.recorded) if is_device(key))
        for key in ours:
            present = self.seen.waiting.get(key, self.seen.config.values.get(key, ""))
            if key in asked or key in (ROOT_DISK, "net0") or (not present and key not in self.seen.waiting):
                continue
            effect, note = effect_of(self._doing(key, "", present, ""))
            state = FieldState.CHANGE if present else FieldState.PENDING
            yield FieldPlan(
                field=_field_of(key),
                key=key,
                state=state,
                effect=effect,
                actual=present or "",
                recorded="added",
                note=note,
            )

    def unmanaged(self, wanted: Sequence[Wanted]) -> Iterator[FieldPlan]:
        """What the VM has beyond the inventory's wishes, and keeps."""
        if ha := self.around.get("ha", ""):
            yield FieldPlan(field="proxmox.ha", key="ha", state=FieldState.UNMANAGED, effect=Effect.LIVE, actual=ha)
        ours = {key for key in (one.partition(".")[0] for one in self.recorded) if is_device(key)}
        asked = {one.key for one in wanted} | ours
        for key, value in sorted(self.seen.config.values.items()):
            if key not in asked and not _HOUSEKEEPING.fullmatch(key) and "cloudinit" not in value.partition(",")[0]:
                yield FieldPlan(
                    field=_field_of(key),
                    key=key,
                    state=FieldState.UNMANAGED,
                    effect=Effect.LIVE,
                    actual="set" if key == "cipassword" else value,
                )


def is_device(key: str) -> bool:
    """True for disks, cards with their addresses and mapped devices: they go when the inventory has them no more."""
    return bool(DISK.fullmatch(key) or NIC.fullmatch(key) or re.fullmatch(r"hostpci\d+|ipconfig[1-9]\d*", key))


def _field_of(key: str) -> str:
    """What the inventory would call an option of which it says nothing."""
    if DISK.fullmatch(key):
        return "disk" if key == ROOT_DISK else f"proxmox.disks.{key}"
    if NIC.fullmatch(key):
        return "network" if key == "net0" else f"nics.{key[3:]}"
    if re.fullmatch(r"ipconfig[1-9]\d*", key):
        return f"nics.{key[8:]}.address"
    return f"proxmox.pci.{key[7:]}" if key.startswith("hostpci") else key
