"""From the answer of the API to the error that an operator can act on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pvenix.adapters.pve.transport import AnswerLost, ApiStatus, BadAnswer, NotSent
from pvenix.adapters.text import sanitise
from pvenix.model.errors import OutcomeUnknown, PvenixError, Refused, RemoteFailure, Unreachable

CONNECT_FAILED: Final = 595
LOST_STATUS: Final = frozenset({502, 503, 504, 596, 597, 598, 599})
"""Statuses after which nobody knows whether the call ran: 59x are the event client's of the proxy (AnyEvent::HTTP)."""
TRANSIENT_STATUS: Final = LOST_STATUS | {CONNECT_FAILED}

_DENIED: Final = re.compile(r"Permission check failed \((?P<path>[^,]+), (?P<privileges>[^)]+)\)")
_WRONG_NODE: Final = (
    "the node that answered does not trust that one: is it named as the cluster lists it, without a domain? "
    "else, on the node itself: pvecm updatecerts --force"
)
_SECRET_PARAMETERS: Final = frozenset({"cipassword", "password"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as messages name it."""

    cluster: str
    token: str
    method: str
    path: str

    @property
    def writes(self) -> bool:
        """True when a lost answer leaves the outcome open."""
        return self.method != "GET"

    @property
    def node(self) -> str:
        """The node that the call goes to, empty for one of the whole cluster."""
        found = re.match(r"nodes/([^/]+)", self.path)
        return found[1] if found else ""

    @property
    def login(self) -> str:
        """`API token a@pve!b`, or `login of a@pam`."""
        return f"API token {self.token}" if "!" in self.token else f"login of {self.token}"

    @property
    def text(self) -> str:
        """`Proxmox <cluster>: GET /version`."""
        return f"Proxmox {self.cluster}: {self.method} /{self.path}"


def transient(error: Exception) -> bool:
    """True when the same reading call may succeed in a moment."""
    if isinstance(error, ApiStatus):
        return error.status in TRANSIENT_STATUS
    return isinstance(error, AnswerLost) or (isinstance(error, NotSent) and not error.refused)


def explained(call: Call, error: Exception) -> PvenixError:
    """The error of a call that will not be tried again."""
    match error:
        case ApiStatus():
            return _of_status(call, error)
        case NotSent(refused=True):
            return Refused(
                f"Proxmox {call.cluster} did not prove its identity",
                why=sanitise(str(error)),
                hint="`pvenix doctor` shows it; compare the certificate on the node and put its CA or fingerprint into "
                "inventory/site.yaml; verification is never switched off",
                code="PVX0533",
            )
        case NotSent():
            return Unreachable(
                f"Proxmox {call.cluster} cannot be reached",
                why=sanitise(str(error)),
                hint="check the endpoints in inventory/site.yaml and that a node of the cluster is up",
            )
        case AnswerLost() | BadAnswer() if call.writes:
            return _unknown(call, str(error))
        case AnswerLost():
            return Unreachable(f"{call.text} got no answer", why=sanitise(str(error)))
        case BadAnswer():
            return RemoteFailure(
                f"{call.text} was not answered by the Proxmox API",
                why=sanitise(str(error)),
                hint="does the endpoint in inventory/site.yaml lead to a proxy or a login page?",
                code="PVX0537",
            )
        case _:
            raise error


def _of_status(call: Call, error: ApiStatus) -> PvenixError:
    why = _reason(error)
    if error.status == 401:
        return Refused(
            f"Proxmox {call.cluster} does not accept the {call.login}",
            why=why,
            hint="check its secret; a token or a user may also have been removed, disabled or have expired. With one that "
            "is accepted an interrupted run goes on: pvenix resume last",
            code="PVX0531",
        )
    if error.status == 403:
        return Refused(f"{call.text} is not permitted to {call.token}", why=why, hint=_grant(call, why), code="PVX0532")
    if error.status == CONNECT_FAILED:
        return Unreachable(
            f"node {call.node or 'of that call'} does not answer the others of Proxmox {call.cluster}",
            why=f"{call.method} /{call.path}: {why}",
            hint="only what is on it has to wait; is it up? else: pvecm status, on another node",
        )
    if error.status in LOST_STATUS:
        if call.writes:
            return _unknown(call, f"{error.status} {why}")
        hint = _WRONG_NODE if "certificate verify failed" in why else ""
        return Unreachable(f"{call.text} got no answer", why=f"{error.status} {why}", hint=hint)
    if "config file already exists" in why:
        return RemoteFailure(f"{call.text}: the VM id is taken", why=why, code="PVX0511")
    if "checksum mismatch" in why:
        return RemoteFailure(
            f"{call.text}: the VM was changed meanwhile", why=why, hint="look again and repeat", code="PVX0536"
        )
    return RemoteFailure(f"{call.text} failed", why=why, evidence=(f"HTTP status {error.status}",), code="PVX0534")


def _unknown(call: Call, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"{call.text} got no answer; it may have been done", why=sanitise(why), code="PVX0535")


def _reason(error: ApiStatus) -> str:
    """Proxmox' own text, with every parameter that it complains about."""
    details = [
        f"{name}: {'(not shown)' if name in _SECRET_PARAMETERS else text}" for name, text in error.errors.items()
    ]
    return sanitise(" ".join([error.reason.strip(), *details]).strip() or f"HTTP status {error.status}")


def _grant(call: Call, why: str) -> str:
    """What to type on a node so that the call is permitted.

    An entry of its own on the path would take the place of those above it, so the role that holds there is added to.
    """
    denied = _DENIED.search(why)
    path, names = (denied["path"], denied["privileges"].split("|")) if denied else _composite(call)
    if not names:
        return f"`pvenix doctor` names what {call.token} lacks, with the pveum lines that give it"
    return (
        f"it takes {' or '.join(names)} on {path}: `pvenix doctor` prints the pveum lines; by hand, to the role that "
        f"{call.token} has there: pveum role modify <role> --append 1 --privs {names[0]}"
    )


def _composite(call: Call) -> tuple[str, list[str]]:
    """What a call lacks whose refusal names nothing: the schema's `or` of a VM's own path and its pool."""
    if call.method == "POST" and call.path.rpartition("/")[2] in ("clone", "qemu"):
        return "/vms, or on the VM's pool", ["VM.Allocate"]
    if call.path.endswith("/download-url"):
        return "/nodes", ["Sys.AccessNetwork"]
    return "", []
