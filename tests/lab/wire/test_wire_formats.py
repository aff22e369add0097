"""What the validator takes for a named format, asked through a call that has a parameter of it (source: pve-common JSONSchema.pm)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.wire.support import TEMPLATE, Case, Client, WireLab, row


@pytest.fixture(scope="module")
def vm(lab: WireLab) -> str:
    """A stopped VM."""
    return lab.vm()


def put(ident: str, key: str, good: list[str], bad: list[str]) -> Any:
    """An option of the configuration."""
    return pytest.param(Case("PUT", "VM/config", {"good": good, "bad": bad}, name=key), id=ident)


def other(ident: str, call: str, key: str, good: list[str], bad: list[str]) -> Any:
    """A parameter of another call; a good value is refused later, for another reason, or taken."""
    method, _, path = call.partition(" ")
    return pytest.param(Case(method, path, {"good": good, "bad": bad}, name=key), id=ident)


@pytest.mark.parametrize(
    "case",
    [
        other("A10-01", f"POST {TEMPLATE}/clone", "newid", ["8100"], ["99", "0100", "1000000000", "1e3", "x"]),
        put("A10-02", "name", ["a", "a-b.c", "9x"], ["a_b", "-a", "a-", "a..b", "a b"]),
        other("A10-03", f"POST {TEMPLATE}/migrate", "target", ["tappaas2"], ["a.b", "a_b", "-a", ""]),
        other("A10-04", "POST VM/snapshot", "snapname", ["ab", "a_9-"], ["a", "9a", "a.b", "a b", ""]),
        other("A10-05", f"POST {TEMPLATE}/clone", "storage", ["tanka1", "a-b.c_d"], ["1a", "a-", "a b", "a/b"]),
        other("A10-08", f"POST {TEMPLATE}/clone", "pool", ["a", "a/b/c", "a.b-c_d"], ["a/b/c/d", "a b", "ä"]),
        put("A10-09", "sshkeys", [], ["a b", "a+b", "a@b", "a/b", "ssh-ed25519 x"]),
        put("A10-10", "tags", ["a", "9", "_a", "a-+.b", "A"], ["-a", "+a", "a!b", "ä", "a/b"]),
        put("A10-11", "net0", ["virtio=BC:24:11:00:00:01,bridge=lan"], ["virtio=BD:24:11:00:00:01,bridge=lan"]),
        put("A10-12", "ipconfig0", ["ip=10.0.0.1/8", "ip=10.0.0.1/32", "ip=dhcp"], ["ip=10.0.0.1/7", "ip=10.0.0.1/33"]),
        put("A10-13", "nameserver", ["10.0.0.1 10.0.0.2", "10.0.0.1,10.0.0.2", "10.0.0.1;10.0.0.2"], ["10.0.0.1|10.0.0.2"]),
    ],
)  # fmt: skip
def test_a_named_format_takes_and_refuses_what_the_real_one_does(
    lab: WireLab, vm: str, root: Client, case: Case
) -> None:
    needed = {"VM/snapshot": {}, f"{TEMPLATE}/clone": {"newid": lab.free_id()}}.get(case.path, {})
    path = case.path.replace("VM", vm, 1)

    def faulty(value: str) -> bool:
        answer = root.ask(case.method, path, **{**needed, case.name: value})
        if answer.status_code != 400:
            if answer.status_code == 200 and str(answer.json()["data"]).startswith("UPID:"):
                root.wait(answer.json()["data"])
            return False
        return case.name in answer.json()["errors"]

    assert [value for value in case.params["good"] if faulty(value)] == []
    assert [value for value in case.params["bad"] if not faulty(value)] == []


@pytest.mark.parametrize(
    ("bridge", "status"),
    [
        pytest.param("lan", 200, id="A10-06-plain"),
        pytest.param("0.br-0_a", 200, id="A10-06-all"),
        pytest.param("l/an", 400, id="A10-06-slash"),
        pytest.param("la n", 400, id="A10-06-space"),
    ],
)
def test_the_name_of_a_bridge_is_of_word_characters_hyphens_and_dots(
    vm: str, root: Client, bridge: str, status: int
) -> None:
    answer = root.ask("PUT", f"{vm}/config", net1=f"virtio,bridge={bridge}")
    assert answer.status_code == status


@row("A10-07")
def test_a_volume_names_its_storage(vm: str, root: Client) -> None:
    words = {
        value: root.ask("PUT", f"{vm}/config", hookscript=value).json()["errors"]["hookscript"]
        for value in ("local:snippets/x.sh", "novolume")
    }
    assert words["novolume"].startswith("invalid format - ")
    assert not words["local:snippets/x.sh"].startswith("invalid format - ")
