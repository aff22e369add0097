"""Errors say what, why and what to do next, and have one exit code each."""

from __future__ import annotations

import pytest

from pvenix.model import errors
from pvenix.model.errors import ExitCode, InvalidInput, PvenixError, RemoteFailure
from pvenix.model.findings import Finding

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PvenixError)]


def test_an_error_reads_as_what_and_why() -> None:
    error = RemoteFailure("the task failed", why="storage full", hint="free space", evidence=["a", "b"])
    assert str(error) == "the task failed: storage full"
    assert (error.hint, error.evidence) == ("free space", ("a", "b"))
    assert str(RemoteFailure("the task failed")) == "the task failed"


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_every_error_has_a_code_and_an_exit_code_and_its_line_in_the_drawing(kind: type[PvenixError]) -> None:
    assert kind.code.startswith("PVX")
    assert kind.exit_code in ExitCode
    drawing = next(line for line in (errors.__doc__ or "").splitlines() if kind.__name__ in line.split())
    assert f"exit {int(kind.exit_code)} " in drawing


def test_codes_of_kinds_differ() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)


def test_a_code_given_replaces_that_of_the_kind() -> None:
    assert RemoteFailure("x", code="PVX0511").code == "PVX0511"


@pytest.mark.parametrize(("count", "words"), [(1, "1 problem in"), (2, "2 problems in")])
def test_invalid_input_carries_every_finding(count: int, words: str) -> None:
    findings = [Finding(file="a.yaml", line=n + 1, column=2, code="PVX0101", what="wrong") for n in range(count)]
    error = InvalidInput(findings)
    assert words in str(error)
    assert error.findings == tuple(findings)


def test_a_finding_reads_as_compilers_write_it() -> None:
    finding = Finding(file="a.yaml", line=3, column=7, code="PVX0101", what="no such role", hint="did you mean `dns`?")
    assert str(finding) == "a.yaml:3:7: error[PVX0101]: no such role\n  hint: did you mean `dns`?"
    warning = Finding(file="a.yaml", line=3, column=7, code="PVX0101", what="old", warning=True)
    assert str(warning) == "a.yaml:3:7: warning[PVX0101]: old"
