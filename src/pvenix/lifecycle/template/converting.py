"""From a sealed VM to a template: the settings of the one before, notes of its making, no mark of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pvenix.engine.ports import VmConfig
from pvenix.lifecycle import notes
from pvenix.lifecycle.ownership import MARKER_TAG
from pvenix.lifecycle.template.marks import Made
from pvenix.model.site import Template

_OWN = re.compile(
    r"(?:scsi|virtio|sata|ide|efidisk|tpmstate|unused)\d+|smbios1|vmgenid|meta|lock|template|name|description|tags"
    r"|parent|cipassword"
)
"""What a VM keeps: its disks, its identity, and what Proxmox shows masked."""
_MAC = re.compile(r"(?i)\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b")
_MADE = re.compile(r"^pvenix-template: .*\n?", re.MULTILINE)


def settings(template: Template, before: VmConfig, now: VmConfig, made: Made) -> tuple[dict[str, str], tuple[str, ...]]:
    """What to write and what to delete so that the VM `now` is as the template `before`, but for disks and identity."""
    wanted = {key: value for key, value in before.values.items() if not _OWN.fullmatch(key)}
    wanted = {key: _with_own_mac(key, value, now.values) for key, value in wanted.items()}
    wanted |= {
        "name": f"{template.name}-{made.at[:10].replace('-', '')}-{made.nixpkgs[:7]}".rstrip("-"),
        "description": _notes(before, made),
        "tags": _tags(template, before),
    }
    delete = [key for key in now.values if key not in wanted and not _OWN.fullmatch(key)]
    if not wanted["tags"]:
        del wanted["tags"]
        delete += ["tags"] if "tags" in now.values else []
    changed = {key: value for key, value in wanted.items() if now.values.get(key) != value}
    return changed, tuple(sorted(delete))


def _with_own_mac(key: str, value: str, now: Mapping[str, str]) -> str:
    """Two machines never have one MAC."""
    own = _MAC.search(now.get(key, ""))
    return _MAC.sub(own[0], value, count=1) if key.startswith("net") and own else value


def _notes(before: VmConfig, made: Made) -> str:
    kept = _MADE.sub("", notes.parse(before.values.get("description", "")).text).strip("\n")
    return "\n".join(part for part in (kept, str(made)) if part)


def _tags(template: Template, before: VmConfig) -> str:
    """Those of the template before; not ours, and not the one by which placement finds replicas of it."""
    ours = {MARKER_TAG, f"pvenix-template-{template.name}"}
    return ";".join(tag for tag in before.values.get("tags", "").split(";") if tag and tag not in ours)
