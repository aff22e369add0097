"""What is written for an option, so that its wanted parts are there and all its other parts stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pvenix.lifecycle.fields.values import DISK, joined, meaning, mib_of, parts_of
from pvenix.lifecycle.fields.wanted import Wanted

_ON: Final = {"discard": "on"}
_SMALLEST: Final = {"tpmstate0": "1", "efidisk0": "1"}
"""GiB asked for where Proxmox knows the size by itself."""


def spelled(key: str, wanted: Iterable[Wanted], present: str, *, storage: str, ours: str) -> str:
    """The value of option `key`, which is `present` now, with these wishes in it; empty when it has to go.

    A disk that does not exist is asked for as `storage:GiB`, there or where the inventory wants it. `ours` are the tags that we
    wrote earlier: those of others stay.
    """
    wishes = [one for one in wanted if one.key == key]
    whole = next((one.value for one in wishes if not one.part), None)
    if key == "tags" and whole is not None:
        return _tags(whole, present, ours)
    if whole is not None or not wishes:
        return _separated(key, whole or "")
    parts = parts_of(key, present)
    asked = {one.part: one.value for one in wishes}
    if DISK.fullmatch(key):
        if key == "tpmstate0" and not asked.get("version"):
            return ""
        parts = _disk(key, parts, asked, storage)
        asked = {part: value for part, value in asked.items() if part not in ("size", "storage")}
    if "mapping" in asked:
        parts.pop("host", None)  # a device is named in one way only
    for part, value in asked.items():
        parts = _with(parts, part, value)
    return joined(key, parts)


def _tags(whole: str, present: str, ours: str) -> str:
    asked = set(whole.split(";"))
    there = set(meaning("tags", present).split(";")) - {""}
    return ";".join(sorted((there - set(ours.split(";"))) | asked))


def _separated(key: str, value: str) -> str:
    return value.replace(";", ",") if key == "hotplug" and value else "0" if key == "hotplug" else value


def _disk(key: str, parts: Mapping[str, str], asked: Mapping[str, str], storage: str) -> dict[str, str]:
    if "file" in parts:
        return dict(parts)
    gib = _SMALLEST.get(key) or f"{mib_of(asked.get('size', '')) / 1024:.0f}"
    new = {"file": f"{asked.get('storage') or storage}:{gib}"}
    return new | ({"efitype": "4m"} if key == "efidisk0" else {})


def _with(parts: Mapping[str, str], part: str, value: str) -> dict[str, str]:
    """The parts with one of them as wanted; what is Proxmox' default is not spelt out."""
    rest = {name: text for name, text in parts.items() if name != part}
    if value == meaning(part, ""):
        return rest
    if part in ("macaddr", "version") and not value:
        return rest
    return {**rest, part: _ON.get(part, value) if value == "1" else value}


def changes(
    keys: Sequence[str], wanted: Sequence[Wanted], present: Mapping[str, str], *, storage: str, ours: str
) -> tuple[dict[str, str], list[str]]:
    """What to set and what to delete so that the options `keys`, now as `present`, are as wanted."""
    values, deleted = {}, []
    for key in keys:
        text = spelled(key, wanted, present.get(key, ""), storage=storage, ours=ours)
        if text or key == "balloon":
            values[key] = text
        elif present.get(key):
            deleted.append(key)
    return values, deleted
