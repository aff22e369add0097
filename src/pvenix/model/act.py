"""What persons do beside runs, as the audit log names it."""

from __future__ import annotations

from enum import StrEnum


class Act(StrEnum):
    """What persons do beside runs; a line of the audit log each."""

    APPROVE = "approve"
    REJECT = "reject"
    EDIT_BRANCH = "edit-branch"
    MERGE = "merge"
    PROPOSE_REVERT = "propose-revert"
    REVERT = "revert"
    APPROVE_CHANGE = "approve-change"
    REJECT_CHANGE = "reject-change"
    ALLOW_NOW = "allow-now"
    ABANDON = "abandon"
    ACCEPT_DRIFT = "accept-drift"
    ADD_HOST = "add-host"
    EDIT_HOST = "edit-host"
