"""Answers of the guest agent, as Proxmox hands them on."""

from __future__ import annotations

from pvenix.adapters.pve.answers import fields, number, rows, text
from pvenix.adapters.text import sanitise
from pvenix.engine.ports import (
    AgentResult,
    Interface,
)


def file_text(answer: object) -> str:
    """The answer of the guest agent's `file-read`."""
    return text(fields(answer), "content", "")


def agent_result(answer: object) -> AgentResult | None:
    """The answer of the guest agent's `exec-status`, None while the command runs."""
    row = fields(answer)
    if text(row, "exited", "0") != "1":
        return None
    return AgentResult(
        exit_status=number(row, "exitcode", 0) or number(row, "signal", 0) + 128 * ("signal" in row),
        stdout=text(row, "out-data", ""),
        stderr=text(row, "err-data", ""),
    )


def interfaces(answer: object) -> tuple[Interface, ...]:
    """The answer of the guest agent's `network-get-interfaces`; some interfaces have no addresses."""
    found = []
    for row in rows(fields(answer).get("result")):
        addresses = row.get("ip-addresses") or []
        found.append(
            Interface(
                name=sanitise(text(row, "name")),
                mac=sanitise(text(row, "hardware-address", "")).lower(),
                addresses=tuple(
                    f"{sanitise(text(item, 'ip-address'))}/{number(item, 'prefix')}" for item in rows(addresses)
                ),
            )
        )
    return tuple(found)
