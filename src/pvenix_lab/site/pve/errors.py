"""How a call or a task of the simulated Proxmox VE fails (proxmox.md a3)."""

from __future__ import annotations


class PveError(Exception):
    """A `die` of the backend: an HTTP 500 when raised in a call, a failed task when raised in a worker.

    `message` has no trailing newline; the answer adds it.
    """

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class PermissionDeniedError(PveError):
    """HTTP 403. `what` is `path, privilege`, empty for the bare text of a composite check."""

    status = 403

    def __init__(self, what: str = "") -> None:
        super().__init__(f"Permission check failed ({what})" if what else "Permission check failed")


class ParameterError(PveError):
    """HTTP 400 with one text per faulty parameter."""

    status = 400

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("Parameter verification failed.")
        self.errors = errors


class UnauthorizedError(PveError):
    """HTTP 401; the answer comes late and has no body, unless `with_body` (a refused ticket)."""

    status = 401

    def __init__(self, message: str, *, with_body: bool = False) -> None:
        super().__init__(message)
        self.with_body = with_body


class NotImplementedHereError(PveError):
    """HTTP 501 for a path or method that the schema does not have."""

    status = 501
