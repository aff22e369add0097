"""How what was done is undone: every verb and every decision has a way back, or says why it has none."""

from __future__ import annotations

import pytest

from pvenix.model.act import Act
from pvenix.model.inverse import INVERSE, Deed, Way, undo_of, undos_of
from pvenix.model.outcome import Status
from pvenix.model.verbs import VERBS
from tests.command_words import parsed

RUN = "20261120-102001-0001"
COMMIT = "3f2c1a9b77d04c55a1e2f3049586776655443322"
KNOWN = {"snapshot": "before-42", "number": "41", "came_from": "tappaas1"}


def test_every_verb_and_every_decision_has_an_inverse_or_the_reason_why_there_is_none() -> None:
    assert set(INVERSE) == {*VERBS, *Act}
    for name, inverse in INVERSE.items():
        assert bool(inverse.why) == (inverse.way is Way.NONE), name
        assert bool(inverse.verb) == (inverse.way in (Way.VERB, Way.REVIEW)), name


@pytest.mark.parametrize("verb", [*VERBS, *Act])
def test_the_way_back_is_a_command_that_the_command_line_takes(verb: str) -> None:
    undo = undo_of(Deed(verb=verb, hosts=("dns01",), run=RUN, commit=COMMIT, known=KNOWN))
    if not undo.possible:
        assert undo.told.startswith("cannot be undone: ")
        assert undo.words == ()
        return
    assert parsed(undo.told)
    needed = {key for key, arg in VERBS[undo.verb].args.items() if arg.required} if undo.way is Way.VERB else set()
    assert needed <= set(undo.args)


@pytest.mark.parametrize("verb", [name for name, each in INVERSE.items() if each.way is Way.VERB])
def test_a_verb_that_takes_another_back_takes_only_what_it_knows(verb: str) -> None:
    assert set(INVERSE[verb].takes) <= set(VERBS[INVERSE[verb].verb].args)


@pytest.mark.parametrize(
    ("verb", "command"),
    [
        ("rebuild", f"pvenix rollback dns01 --before {RUN}"),
        ("rollback", f"pvenix rollback dns01 --before {RUN}"),
        ("clone", "pvenix destroy dns01 --confirm dns01"),
        ("snapshot", "pvenix delete-snapshot dns01 --name before-42 --confirm dns01"),
        ("pin-generation", "pvenix generations unpin dns01 41"),
        ("migrate", "pvenix migrate dns01 --to tappaas1"),
        ("shutdown", "pvenix start dns01"),
        (Act.MERGE, f"pvenix revert {COMMIT}"),
        (Act.APPROVE, f"pvenix review reject dns01 {COMMIT} -m 'taken back'"),
    ],
)
def test_the_way_back_is_told_as_its_command(verb: str, command: str) -> None:
    assert undo_of(Deed(verb=verb, hosts=("dns01",), run=RUN, commit=COMMIT, known=KNOWN)).told == command


@pytest.mark.parametrize(
    ("deed", "why"),
    [
        (Deed(verb="restore", hosts=("dns01",)), "is gone; restore a backup at Proxmox"),
        (Deed(verb="snapshot", hosts=("dns01",)), "the record does not say the name that delete-snapshot needs"),
        (Deed(verb="merge", hosts=("dns01",)), "the record does not say which commit it was"),
        (Deed(verb="rebuild", hosts=("dns01",), run=RUN, outcome=Status.ROLLED_BACK), "it went back by itself"),
        (Deed(verb="clone", hosts=("dns01",), run=RUN, outcome=Status.UNKNOWN), f"pvenix resume {RUN}"),
        (Deed(verb="rebuild", hosts=("dns01",), run=RUN, outcome=Status.SKIPPED), "it was left out: nothing was done"),
        (Deed(verb="beam-up", hosts=("dns01",)), "does not know it"),
        (Deed(verb="clone", hosts=("dns01", "dns02")), "destroy takes one host at a time"),
    ],
)
def test_what_cannot_be_undone_says_why_and_what_helps(deed: Deed, why: str) -> None:
    undo = undo_of(deed)
    assert not undo.possible
    assert why in undo.told


def test_an_onboarding_is_undone_by_the_end_of_the_vm_that_it_made() -> None:
    verbs = ("clone", "cloudinit", "boot", "register", "review", "rebuild")
    [undo] = undos_of([Deed(verb=verb, hosts=("web",), run=RUN, commit=COMMIT) for verb in verbs])
    assert undo.told == "pvenix retire web --confirm web"


def test_a_run_of_several_verbs_is_undone_from_its_end() -> None:
    deeds = [Deed(verb=verb, hosts=("a", "b"), run=RUN) for verb in ("stop", "start", "rebuild")]
    assert [undo.verb for undo in undos_of(deeds)] == ["rollback", "shutdown", "start"]


def test_what_a_killed_process_had_begun_and_the_next_one_found_done_is_undone_like_any_other() -> None:
    assert undo_of(Deed(verb="shutdown", hosts=("dns01",), run=RUN, outcome=Status.OK)).verb == "start"
