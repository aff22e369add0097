"""The recorded life of one VM on a real 8.4.5 API, replayed call by call against the site.

Compared for every call: status, reason line, whether the second hop shows in the Connection header, and the shape of the body
(keys and types). Every difference is listed below with its reason; one that is gone is a failure too, so the list cannot grow stale.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.core import Timings
from pvenix_lab.site.pve.api import answer
from pvenix_lab.site.pve.auth import Credentials
from tests.lab.pve_support import PveLab
from tests.lab.test_pve_with_guest import in_whole_site

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

DIFFERENCES: dict[int, tuple[str, set[str]]] = {
    2: ("the lab's nodes boot by UEFI", {".boot-info.secureboot extra"}),
    33: (
        "the recorded guest had read its cloud-init drive; reads are not counted",
        {".blockstat.ide2.idle_time_ns missing"},
    ),
    36: (
        "the recorded guest was a busybox with less in its os-release",
        {f".result.{key} extra" for key in ("name", "version", "version-id")},
    ),
}
"""By number of the call: the reason, and what differs. One that is gone is taken out; none is added."""
MAY_DIFFER = 5


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
    if entry["path"] == "/access/permissions":
        return set() if real == data else {"privileges differ"}
    if entry["path"] == "/access/roles":  # but for the role that the recorder made for itself
        own = {item["roleid"]: item for item in real if item["special"]}
        return set() if own == {item["roleid"]: item for item in data if item["special"]} else {"roles differ"}
    if isinstance(real, list) and isinstance(data, list):
        key = LIST_KEYS.get(entry["path"].rpartition("/")[2])
        real, data = matched(real, key), matched(data, key)
        if key in {"vmid", "type"}:  # other machines, another cluster: only what both have is compared
            return {line for line in differences(real, data, "") if not line.endswith(("] missing", "] extra"))}
    return set(differences(real, data, ""))


def as_recorded(lab: PveLab) -> Credentials:
    """Bring template, storage, bridge and caller into the recorded state; the caller's headers."""
    cluster = lab.site.cluster
    template = next(entry for entry in TRANSCRIPT if entry["path"].endswith("/8100/config"))
    cluster.vms[8100].config = {key: value for key, value in template["body"]["data"].items() if key != "digest"}
    cluster.storages["local"].content += ("images", "rootdir")
    cluster.nodes["tappaas1"].bridges = ("vmbr0",)
    token = cluster.rights.add_token("root@pam!root", "secret")
    return Credentials(authorization=f"PVEAPIToken={token.token_id}={token.secret}")


def test_the_recorded_life_of_a_vm_is_answered_as_by_the_real_api(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        upid, pid = "", ""
        auth = as_recorded(lab)
        for entry in TRANSCRIPT:
            number, path = entry["n"], entry["path"].replace("pve1", "tappaas1")
            if "/tasks/UPID" in path:
                await lab.finished(upid)
                path = f"/nodes/tappaas1/tasks/{upid}/{path.rpartition('/')[2]}"
            if path.endswith("/status/start"):  # the recorder set this as root, outside of the recording
                lab.site.cluster.vms[250].config["args"] = "-kernel x"
            params = {key: value if isinstance(value, list) else str(value) for key, value in entry["params"].items()}
            params |= {"pid": pid} if "pid" in params else {}
            response = await answer(lab.site, entry["method"], path, params, auth)
            if str(response.data).startswith("UPID"):
                upid = str(response.data)
            if path.endswith("/exec"):
                pid = str((response.data or {}).get("pid"))
                await asyncio.sleep(1)
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

    in_whole_site(tmp_path, story, timings=Timings(boot_s=4.0))
    assert sum(len(what) for _, what in DIFFERENCES.values()) <= MAY_DIFFER, "the list may only shrink"
