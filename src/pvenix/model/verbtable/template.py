"""A new template: built, proved and proposed."""

from __future__ import annotations

from pvenix.model.verbspec import Danger, Kind, VerbSpec

TEMPLATE = (
    VerbSpec(
        name="template-build",
        help="build a new template on the host's VM",
        danger=Danger.REVERSIBLE,
        kind=Kind.BUILD,
        timeout_s=9000,
        unskippable="there would be nothing to prove and to propose",
    ),
    VerbSpec(
        name="template-canary",
        help="prove the new template by two clones",
        danger=Danger.REVERSIBLE,
        kind=Kind.CLONE,
        timeout_s=7200,
        unskippable="a template that was not proved is not proposed",
    ),
    VerbSpec(
        name="template-publish",
        help="propose the new template on a branch",
        danger=Danger.REVERSIBLE,
        kind=Kind.GIT,
        timeout_s=180,
    ),
)
