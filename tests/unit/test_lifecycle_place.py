"""Placing: the same answer for the same site, never a node that cannot take the host, never a VM id twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.lifecycle.place import choose_vmid, rank
from pvenix.lifecycle.survey import Ledger
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure
from pvenix.model.host import Host, Pci
from pvenix.model.names import NodeName, Vmid
from pvenix.model.site import VmidPolicy
from tests.unit.lifecycle_support import GIB, host, node, vm

NODES = (node("n1"), node("n2"), node("n3"))


def chosen(one: Host, **given_: Any) -> str:
    ranked = rank(
        one, given_.get("nodes", NODES), given_.get("vms", ()), given_.get("reserved", {}), given_.get("devices", {})
    )
    return next((candidate.node for candidate in ranked if not candidate.refused), "")


def test_equal_nodes_are_taken_by_name() -> None:
    assert chosen(host(), nodes=tuple(reversed(NODES))) == "n1"


def test_the_node_with_the_most_memory_left_is_taken() -> None:
    assert chosen(host(), vms=(vm(200, "n1", memory_gib=8), vm(201, "n2", memory_gib=4))) == "n3"


def test_stopped_vms_count_and_templates_do_not() -> None:
    assert chosen(host(), vms=(vm(8100, "n1", memory_gib=60, template=True),)) == "n1"
    assert chosen(host(), vms=(vm(200, "n1", memory_gib=60),)) == "n2"


def test_what_this_run_promised_counts() -> None:
    assert chosen(host(), reserved={"n1": 32 * GIB, "n2": 16 * GIB}) == "n3"


@pytest.mark.parametrize(
    ("proxmox", "expected"),
    [
        ({"node": "n2"}, "n2"),
        ({"nodes": ("n3", "n2")}, "n2"),
        ({"avoid": ("n1", "n2")}, "n3"),
        ({"node": "n9"}, ""),
        ({"node": "n1", "avoid": ("n1",)}, ""),
        ({"pci": (Pci(mapping="gpu0"),)}, "n2"),
        ({"pci": (Pci(mapping="unknown"),)}, "n1"),
    ],
)
def test_the_inventory_s_wishes_are_kept(proxmox: dict[str, Any], expected: str) -> None:
    devices = {"gpu0": frozenset({NodeName("n2")})}
    assert chosen(host(proxmox=proxmox), devices=devices) == expected


def test_a_node_that_is_offline_or_full_takes_nobody_and_says_why() -> None:
    nodes = (node("n1", online=False), node("n2", total_gib=4))
    refusals = {one.node: one.refused for one in rank(host(memory_mib=4096), nodes, (), {}, {})}
    assert refusals == {"n1": "offline", "n2": "not enough memory"}


vms_of = st.lists(
    st.builds(vm, st.integers(100, 120), st.sampled_from(["n1", "n2", "n3"]), memory_gib=st.integers(0, 30))
)


@given(vms_of, st.permutations(NODES), st.integers(1, 64))
def test_the_order_in_which_proxmox_lists_things_does_not_matter(vms: list[Any], nodes: list[Any], gib: int) -> None:
    one = host(memory_mib=gib * 1024)
    assert rank(one, nodes, vms, {}, {}) == rank(one, NODES, sorted(vms, key=lambda each: each.vmid), {}, {})


@given(vms_of, st.integers(1, 64))
def test_no_host_is_put_where_its_memory_is_not_left(vms: list[Any], gib: int) -> None:
    best = next((one for one in rank(host(memory_mib=gib * 1024), NODES, vms, {}, {}) if not one.refused), None)
    if best is not None:
        used = sum(each.memory_max for each in vms if each.node == best.node)
        assert used + gib * GIB <= 64 * GIB


# --- VM ids ----------------------------------------------------------------------------------------------------------


def world(*hosts: Host, policy: VmidPolicy, promised: dict[str, Vmid] | None = None) -> World:
    """As much of a world as the choice of an id reads."""
    cluster = SimpleNamespace(vmid=policy)
    return cast(
        "World",
        SimpleNamespace(
            cluster=lambda _host: cluster,
            fleet=SimpleNamespace(hosts={one.name: one for one in hosts}),
            ledger=Ledger(vmids=promised or {}),
        ),
    )


ids = st.integers(200, 215)


@given(st.sets(ids), st.sets(ids), st.sets(ids), st.sets(ids), st.integers(1, 3))
def test_an_id_is_free_everywhere_and_the_first_such_of_the_range(
    running: set[int], listed: set[int], promised: set[int], reserve: set[int], step: int
) -> None:
    others = [host(f"h{number}", proxmox={"vmid": number}) for number in listed]
    site = world(
        host(),
        *others,
        policy=VmidPolicy(ranges=((200, 220),), step=step, reserve=tuple(reserve)),
        promised={f"p{number}": Vmid(number) for number in promised},
    )
    free = [number for number in range(200, 221, step) if number not in running | listed | promised | reserve]
    vms = [vm(number, "n1") for number in running]
    if free:
        assert choose_vmid(site, host(), vms) == free[0]
    else:
        with pytest.raises(RemoteFailure, match="no VM id is free"):
            choose_vmid(site, host(), vms)


def test_the_inventory_s_id_is_taken_as_it_is() -> None:
    one = host(proxmox={"vmid": 777})
    assert choose_vmid(world(one, policy=VmidPolicy()), one, ()) == 777


def test_a_host_s_own_promise_does_not_stand_in_its_way() -> None:
    site = world(host(), policy=VmidPolicy(ranges=((200, 200),)), promised={"dns01": Vmid(200)})
    assert choose_vmid(site, host(), ()) == 200
