"""What is risky, what an approval covers, and what the files of a run say of both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.engine.decisions import ASKED, Decisions, waiting
from pvenix.engine.ports import Entry
from pvenix.lifecycle.approval import Change, reasons, risks
from pvenix.lifecycle.rebooting import difference, touched
from pvenix.model.approval import Asked, Decision, Verdict
from pvenix.model.errors import ExitCode, RemoteFailure, worst
from pvenix.model.outcome import Outcome, Status, Waits
from pvenix.model.site import Role
from pvenix.model.update import Approve, Update
from tests.unit.lifecycle_support import host

DNS = Role(name="dns", approve=("unbound.service", "reboot"))
WEB = Role(name="web")
ROLES = {"dns": DNS, "web": WEB, "vault": Role(name="vault", approve=("always",))}
SYSTEM = Change(subject="/nix/store/new", units=())


@pytest.mark.parametrize(
    ("roles", "change", "why"),
    [
        (("dns",), SYSTEM, ()),
        (("dns",), replace(SYSTEM, units=("sshd.service",)), ()),
        (("dns",), replace(SYSTEM, units=("unbound.service",)), ("touches unbound.service (role dns)",)),
        (("dns",), replace(SYSTEM, units=None), ("whether it touches unbound.service cannot be told (role dns)",)),
        (("web",), replace(SYSTEM, units=("unbound.service",)), ()),
        (("web",), replace(SYSTEM, reboots="reboots: kernel"), ("reboots: kernel",)),
        (("web",), replace(SYSTEM, reboots="reboots", named=True), ()),
        (("dns",), replace(SYSTEM, reboots="reboots", named=True), ("reboots (role dns)",)),
        (("vault",), SYSTEM, ("role vault has every change approved",)),
        ((), SYSTEM, ()),
    ],
)
def test_risky_is_a_reboot_that_nobody_named_and_what_a_role_marks(
    roles: tuple[str, ...], change: Change, why: tuple[str, ...]
) -> None:
    assert risks(host(roles=roles), ROLES, change) == why


def test_never_asks_about_nothing_and_always_about_everything() -> None:
    risky = replace(SYSTEM, reboots="reboots", units=("unbound.service",))
    assert reasons(host(roles=("dns",), update=Update(approve=Approve.NEVER)), ROLES, risky) == ()
    calm = host(roles=("web",), update=Update(approve=Approve.ALWAYS))
    assert reasons(calm, ROLES, SYSTEM) == ("update.approve is always",)
    assert reasons(calm, ROLES, risky) == ("reboots",)


ASKED_FOR = Asked(host="dns01", step="0.0.rebuild", subject="/nix/store/a", commit="c", risks=("one", "two"))


def decided(verdict: Verdict = Verdict.APPROVED, **fields: object) -> Decision:
    same = {name: getattr(ASKED_FOR, name) for name in ("host", "step", "subject", "commit", "risks")}
    return Decision(**{"verdict": verdict, "by": "alice", "at": "2026-01-01T00:00:00Z", **same, **fields})


@given(st.sets(st.sampled_from(["one", "two", "three"])), st.sets(st.sampled_from(["one", "two", "three"])))
def test_an_approval_covers_the_same_thing_with_no_risk_that_was_not_shown(shown: set[str], now: set[str]) -> None:
    decision = decided(risks=tuple(sorted(shown)))
    assert decision.covers(replace(ASKED_FOR, risks=tuple(sorted(now)))) == (now <= shown)
    for field in ("host", "step", "subject"):
        assert not decision.covers(replace(ASKED_FOR, risks=tuple(sorted(shown)), **{field: "other"}))


def test_decisions_survive_and_a_line_cut_short_decides_nothing(tmp_path: Path) -> None:
    kept = Decisions(tmp_path)
    assert kept.all() == ()
    kept.add(decided(comment="a 'quoted' word\nand a second line"))
    with (tmp_path / "decisions.jsonl").open("ab") as file:
        file.write(b'{"verdict":"approved","by":"mall')
    kept.add(decided(Verdict.REJECTED))
    assert [each.verdict for each in kept.all()] == [Verdict.APPROVED, Verdict.REJECTED]
    assert kept.all()[0] == decided(comment="a 'quoted' word\nand a second line")
    assert (tmp_path / "decisions.jsonl").stat().st_mode & 0o077 == 0


def rows(*said: tuple[str, dict[str, str]]) -> list[Entry]:
    return [
        Entry(seq=number, host="dns01", step="0.0.rebuild", what=what, data=data)
        for number, (what, data) in enumerate(said, start=1)
    ]


QUESTION = {ASKED: "/nix/store/a", "commit": "c", "risks": "one\ntwo"}


def test_what_waits_is_the_last_question_of_a_step_that_ended_waiting() -> None:
    waits = ("result", {"status": "waiting", "summary": "waits"})
    assert waiting(rows(("evidence", QUESTION), waits)) == (ASKED_FOR,)
    assert waiting(rows(("evidence", QUESTION), waits, ("result", {"status": "changed"}))) == ()
    assert waiting(rows(waits)) == (), "a registration that waits for its review"
    later = {**QUESTION, ASKED: "/nix/store/b"}
    again = waiting(rows(("evidence", QUESTION), waits, ("evidence", later), waits))
    assert [each.subject for each in again] == ["/nix/store/b"]


@pytest.mark.parametrize(
    ("waits", "code"),
    [(Waits.REVIEW, ExitCode.CHANGES), (Waits.APPROVAL, ExitCode.APPROVAL), (Waits.WINDOW, ExitCode.WINDOW)],
)
def test_each_wait_has_an_exit_code_and_none_hides_a_failure(waits: Waits, code: ExitCode) -> None:
    assert Outcome(status=Status.WAITING, waits=waits).exit_code is code
    assert worst([code, ExitCode.FAILED, ExitCode.OK]) is ExitCode.FAILED
    assert worst([code, ExitCode.OK]) is code


def test_the_units_of_a_dry_activation_are_those_that_it_would_touch() -> None:
    """The words are nixpkgs', switch-to-configuration-ng, src/main.rs."""
    text = (
        "would stop the following units: unbound.service, a@b.service\n"
        "would NOT stop the following changed units: getty@tty1.service\n"
        "would activate the configuration...\n"
        "would reload the following units: dbus.service\n"
        "would restart the following units: sshd.service\n"
        "would start the following units: unbound.service\n"
        "would start the following new units: new.service\n"
    )
    assert touched(text) == ("unbound.service", "a@b.service", "dbus.service", "sshd.service")


PATHS = ("/nix/store/k1-linux-6.12.30/bzImage", "/nix/store/i1-initrd/initrd", "/nix/store/k1-linux-6.12.30")


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (PATHS, ""),
        (("/nix/store/k2-linux-6.12.31/bzImage", PATHS[1], "/nix/store/k2-linux-6.12.31"), "kernel 6.12.30 -> 6.12.31"),
        (("/nix/store/k2-linux-6.12.30/bzImage", PATHS[1], PATHS[2]), "another kernel"),
        ((PATHS[0], "/nix/store/i2-initrd/initrd", "/nix/store/m2"), "another initrd and kernel-modules"),
    ],
)
def test_kernel_initrd_and_modules_need_a_boot_when_they_differ(new: tuple[str, ...], why: str) -> None:
    assert difference("\n".join((*PATHS, *new)) + "\n") == why


def test_what_cannot_be_compared_is_not_taken_for_the_same() -> None:
    with pytest.raises(RemoteFailure, match="not known"):
        difference("/nix/store/only-one\n")
