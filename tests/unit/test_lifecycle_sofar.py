"""What an onboarding has left behind, by its journal."""

from __future__ import annotations

from pvenix.engine.ports import Entry
from pvenix.lifecycle.sofar import so_far, taken_back
from pvenix.model.sofar import SoFar
from pvenix.model.verbs import ONBOARDING


class Rows:
    """Rows of a journal as they come."""

    def __init__(self) -> None:
        self.rows: list[Entry] = []

    def add(self, verb: str, what: str, **data: str) -> Rows:
        step = f"0.{ONBOARDING.index(verb)}.{verb}"
        self.rows.append(Entry(seq=len(self.rows) + 1, host="a1", step=step, what=what, data=data))
        return self

    @property
    def found(self) -> SoFar:
        other = Entry(seq=99, host="b2", step="0.1.clone", what="intent", data={"vmid": "999", "node": "n9"})
        return so_far([*self.rows, other], "a1")


def cloned() -> Rows:
    rows = Rows().add("place", "result", status="ok", **{"fact.node": "n1", "fact.vmid": "210"})
    rows.add("clone", "intent", vmid="210", node="n1").add("clone", "result", status="changed", **{"fact.node": "n1"})
    return rows


def test_a_choice_alone_leaves_nothing_behind() -> None:
    rows = Rows().add("place", "result", status="ok", **{"fact.node": "n1", "fact.vmid": "210"})
    assert (rows.found.lines, rows.found.verbs) == ((), ())
    assert "nothing is pushed to Git yet" in rows.found.stays


def test_a_clone_that_was_begun_may_be_half_made_and_is_destroyed() -> None:
    rows = Rows().add("clone", "intent", vmid="210", node="n1")
    assert rows.found.lines == ("stop and destroy VM 210 on n1, which may be half made",)
    assert rows.found.verbs == ("destroy",)


def test_address_and_key_go_with_the_vm() -> None:
    rows = cloned().add("boot", "result", status="changed", **{"fact.address": "10.0.0.9"})
    assert rows.found.lines == (
        "stop and destroy VM 210 on n1", "release the address 10.0.0.9", "forget its pinned host key",
    )  # fmt: skip


def test_a_branch_that_may_be_pushed_is_deleted_before_the_vm_goes() -> None:
    rows = cloned().add("register", "intent", branch="registration/a1")
    assert rows.found.lines[0] == "delete the branch registration/a1"
    assert rows.found.verbs == ("unregister", "destroy")
    assert "nothing is pushed to Git yet" not in rows.found.stays


def test_what_is_merged_is_retired() -> None:
    rows = cloned().add("register", "result", status="changed").add("review", "result", status="changed")
    assert rows.found.verbs == ("retire",)
    assert "retire/a1" in rows.found.stays[-1]


def test_a_later_run_that_destroyed_the_vm_has_taken_it_back() -> None:
    gone = Entry(seq=1, host="a1", step="0.1.destroy", what="result", data={"status": "changed"})
    lost = Entry(seq=2, host="a1", step="0.1.destroy", what="result", data={"status": "unknown"})
    assert taken_back([gone], "a1")
    assert not taken_back([gone], "b2")
    assert not taken_back([gone, lost], "a1")


def test_a_vm_that_was_there_before_is_told_as_such() -> None:
    rows = Rows().add("clone", "result", status="ok", **{"fact.vmid": "210", "fact.node": "n1"})
    assert rows.found.lines == ("stop and destroy VM 210 on n1, which was there before",)
