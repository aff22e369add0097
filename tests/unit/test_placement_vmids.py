"""Which VM id a host gets: the inventory's, or the first of the ranges that nobody has, had or may have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.lifecycle.placement.vmids import choose_vmid
from pvenix.model.errors import RemoteFailure
from pvenix.model.host import Host, State
from pvenix.model.site import VmidPolicy
from tests.unit.lifecycle_support import host
from tests.unit.placement_support import id_world

NONE: frozenset[int] = frozenset()
ids = st.integers(200, 215)


def policy(first: int = 200, last: int = 220, **other: object) -> VmidPolicy:
    return VmidPolicy(ranges=((first, last),), **other)  # type: ignore[arg-type]  # its own fields


policies = st.builds(policy, step=st.integers(1, 3), reserve=st.sets(ids).map(tuple))


@given(*(st.sets(ids),) * 4, policies)
def test_an_id_is_free_everywhere_and_the_first_such_of_the_range(
    running: set[int], listed: set[int], promised: set[int], orphans: set[int], given_: VmidPolicy
) -> None:
    others = [host(f"h{number}", proxmox={"vmid": number}) for number in listed]
    where = id_world(
        host(),
        *others,
        policy=given_,
        promised={f"p{number}": number for number in promised},
    )
    taken = running | listed | promised
    found = choose_vmid(where, host(), frozenset(running), dict.fromkeys(orphans, "ssd:vm"))
    assert found.vmid == next(one for one in given_.ids() if one not in taken | (orphans - running))
    assert found.vmid not in taken


def test_a_second_range_is_begun_when_the_first_is_used_up() -> None:
    where = id_world(host(), policy=VmidPolicy(ranges=((200, 201), (500, 501)), step=1))
    assert choose_vmid(where, host(), frozenset({200, 201}), {}).vmid == 500


def test_a_host_of_any_state_keeps_its_id() -> None:
    gone = host("gone", state=State.ABSENT, proxmox={"vmid": 200})
    assert choose_vmid(id_world(host(), gone, policy=policy()), host(), NONE, {}).vmid == 201


def test_the_inventory_s_id_is_taken_as_it_stands() -> None:
    one: Host = host(proxmox={"vmid": 777})
    found = choose_vmid(id_world(one, policy=policy()), one, NONE, {777: "ssd:vm-777-disk-0"})
    assert (found.vmid, found.warnings) == (777, ("ssd:vm-777-disk-0 has the id of dns01, but no VM has it",))
    assert choose_vmid(id_world(one, policy=policy()), one, frozenset({777}), {777: "ssd:x"}).warnings == ()


def test_an_id_that_proxmox_refused_is_not_chosen_again() -> None:
    where = id_world(host(), policy=policy())
    where.ledger.refused.add(choose_vmid(where, host(), NONE, {}).vmid)
    assert choose_vmid(where, host(), NONE, {}).vmid == 201


def test_a_host_s_own_promise_does_not_stand_in_its_way() -> None:
    where = id_world(host(), policy=policy(), promised={"dns01": 200})
    assert choose_vmid(where, host(), NONE, {}).vmid == 200


def test_skipped_ids_are_told_with_what_is_in_their_way() -> None:
    found = choose_vmid(id_world(host(), policy=policy(step=10)), host(), NONE, {200: "ssd:a", 210: "ssd:b"})
    assert found.vmid == 220
    assert found.warnings == (
        "VM id 200 is skipped: ssd:a is there and no VM has that id",
        "VM id 210 is skipped: ssd:b is there and no VM has that id",
    )


def test_a_range_that_is_used_up_is_an_error_that_says_what_to_do() -> None:
    where = id_world(host(), policy=policy(200, 200))
    with pytest.raises(RemoteFailure, match="no VM id is free in 200 to 200") as caught:
        choose_vmid(where, host(), NONE, {200: "ssd:a"})
    assert caught.value.why == "VM id 200 is skipped: ssd:a is there and no VM has that id"
    assert "clusters.*.vmid.range" in caught.value.hint
