"""The recorded life of one VM on a real 8.4.5 API, replayed call by call against the site.

Compared for every call: status, reason line, whether the second hop shows in the Connection header, and the shape of the body
(keys and types). Every difference is listed below with its reason; one that is gone is a failure too, so the list cannot grow stale.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.core import Timings
from pvenix_lab.site.pve.api import answer
from tests.lab.pve_support import PveLab, in_lab

if TYPE_CHECKING:
    from collections.abc import Iterator

TRANSCRIPT = json.loads((Path(__file__).parent / "data" / "pve-transcript-8.4.json").read_text(encoding="utf-8"))
LIST_KEYS = {
    "pending": "key",
    "cloudinit": "key",
    "resources": "type",
    "status": "type",
    "qemu": "vmid",
    "snapshot": "name",
}
"""By which field the items of a list answer are matched; other lists are compared by their first items."""

TEMPLATE_SHAPE = "the lab's template is q35 with OVMF; the recorded one was a small i440fx guest"
GUEST = "answered by the guest, which is a stand-in here"
DIFFERENCES: dict[int, tuple[str, set[str]]] = {
    2: ("the lab's nodes boot by UEFI", {".boot-info.secureboot extra"}),
    5: (
        "the recorded pool is not part of the lab; its storage was a directory and its node an old kernel",
        {".[node].cgroup-mode missing"},
    ),
    10: (
        TEMPLATE_SHAPE,
        {f".{key} extra" for key in ("bios", "cpu", "efidisk0", "machine", "ostype")}
        | {".kvm missing", ".vga missing"},
    ),
    33: (TEMPLATE_SHAPE, {".blockstat.efidisk0 extra", ".blockstat.ide2.idle_time_ns missing"}),
    35: (GUEST, {".result is dict, was list"}),
    36: (
        GUEST,
        {f".result.{key} missing" for key in ("id", "kernel-release", "kernel-version", "machine", "pretty-name")},
    ),
    40: (GUEST, {"status 596", " is NoneType, was dict"}),
    41: (GUEST, {"status 500", " is NoneType, was dict"}),
    63: ("`saved` is a number only for the newest task", {"[].saved is str, was int"}),
}
DIFFERENCES[16] = DIFFERENCES[10]
DIFFERENCES[22] = DIFFERENCES[43] = (
    TEMPLATE_SHAPE,
    {f".[{key}] extra" for key in ("bios", "cpu", "efidisk0", "machine", "ostype")}
    | {".[kvm] missing", ".[vga] missing"},
)
DIFFERENCES[43] = (DIFFERENCES[43][0], DIFFERENCES[43][1] | {".[args] missing"})


def matched(items: list[Any], key: str | None) -> dict[str, Any] | list[Any]:
    """A list as a map by the given field, the first of each; without a field only the first item."""
    if key is None:
        return items[:1]
    found: dict[str, Any] = {}
    for item in items:
        found.setdefault(f"[{item[key]}]", item)
    return found


def differences(real: Any, ours: Any, where: str) -> Iterator[str]:
    """Where the two values differ in keys or types."""
    if isinstance(real, dict) and isinstance(ours, dict):
        for key in sorted(real.keys() | ours.keys()):
            if key not in ours or key not in real:
                yield f"{where}.{key} {'missing' if key in real else 'extra'}"
            else:
                yield from differences(real[key], ours[key], f"{where}.{key}")
    elif isinstance(real, list) and isinstance(ours, list):
        if real and ours:
            yield from differences(real[0], ours[0], f"{where}[]")
    elif type(real) is not type(ours) and {type(real), type(ours)} != {int, float}:
        yield f"{where} is {type(ours).__name__}, was {type(real).__name__}"


def body_differences(entry: dict[str, Any], data: Any) -> set[str]:
    """Where our `data` differs from the recorded one."""
    real = entry["body"]["data"]
    if entry["path"] == "/access/permissions":  # root's token may do everything, ours does what a provisioner needs
        return set() if real.keys() == data.keys() else {"paths differ"}
    if isinstance(real, list) and isinstance(data, list):
        key = LIST_KEYS.get(entry["path"].rpartition("/")[2])
        real, data = matched(real, key), matched(data, key)
        if key in {"vmid", "type"}:  # other machines, another cluster: only what both have is compared
            return {line for line in differences(real, data, "") if not line.endswith(("] missing", "] extra"))}
    return set(differences(real, data, ""))


def test_the_recorded_life_of_a_vm_is_answered_as_by_the_real_api(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        upid = ""
        lab.site.cluster.vms[8100].config["cores"] = 1  # as recorded, so that the change to 2 is one
        for entry in TRANSCRIPT:
            number, path = (
                entry["n"],
                entry["path"].replace("pve1", "tappaas1").replace("/storage/local", "/storage/tanka1"),
            )
            if "/tasks/UPID" in path:
                await lab.finished(upid)
                path = f"/nodes/tappaas1/tasks/{upid}/{path.rpartition('/')[2]}"
            params = {key: value if isinstance(value, list) else str(value) for key, value in entry["params"].items()}
            response = await answer(lab.site, entry["method"], path, params, lab.operator)
            if str(response.data).startswith("UPID"):
                upid = str(response.data)
            found = body_differences(entry, response.data)
            if response.status != entry["status"]:
                found.add(f"status {response.status}")
            else:
                assert response.reason == entry["reason"].replace("pve1", "tappaas1")
                assert ("close" in entry["connection"]) == (response.protected or response.status >= 400), number
                assert entry["body"].get("message") is None or response.body is not None
            if number == 56:
                assert response.data["exitstatus"] == entry["body"]["data"]["exitstatus"]
            assert found == DIFFERENCES.get(number, ("", set()))[1], number

    in_lab(tmp_path, story, timings=Timings(boot_s=4.0))
