"""What a run that was left leaves at work is named from its journal."""

from __future__ import annotations

from pvenix.engine.ports import Entry
from pvenix.lifecycle.activation.attempt import Attempt
from pvenix.lifecycle.leftovers import Leftover, leftovers

ATTEMPT = Attempt(
    id="r-0.0-1", new="/nix/store/n", old="/nix/store/o", profile="/nix/store/o", boot_id="b", failed_before=(), confirm_s=60
)  # fmt: skip


def rows(*said: tuple[str, str, str, dict[str, str]]) -> list[Entry]:
    return [
        Entry(seq=seq, host=host, step=step, what=what, data=data) for seq, (host, step, what, data) in enumerate(said)
    ]


def test_an_open_activation_is_named_by_its_unit_and_its_dead_man() -> None:
    [left] = leftovers(rows(("dns01", "0.0.rebuild", "intent", ATTEMPT.to_known())))
    assert left.things == (
        "unit pvenix-activate-r-0.0-1.service",
        "unit pvenix-deadman-r-0.0-1-contact.service",
    )


def test_an_activation_that_was_seen_to_its_end_is_not_named() -> None:
    known = ATTEMPT.to_known()
    [left] = leftovers(
        rows(("dns01", "0.0.rebuild", "intent", known), ("dns01", "0.0.rebuild", "evidence", {"ended": ATTEMPT.id}))
    )
    assert left.things == ()


def test_a_clone_is_named_by_its_task_and_its_vm() -> None:
    made = rows(("web1", "0.1.clone", "intent", {"vmid": "201"}), ("web1", "0.1.clone", "evidence", {"upid": "UPID:a"}))
    assert leftovers(made) == (Leftover(host="web1", step="0.1.clone", things=("task UPID:a", "VM 201")),)


def test_a_step_whose_end_is_recorded_leaves_nothing_until_it_is_begun_again() -> None:
    done = (("web1", "0.1.clone", "intent", {"vmid": "201"}), ("web1", "0.1.clone", "result", {"status": "failed"}))
    assert leftovers(rows(*done)) == ()
    assert [left.step for left in leftovers(rows(*done, *done[:1]))] == ["0.1.clone"]


def test_evidence_without_an_intent_is_nothing_left() -> None:
    assert leftovers(rows(("web1", "0.1.clone", "evidence", {"upid": "UPID:a"}))) == ()
