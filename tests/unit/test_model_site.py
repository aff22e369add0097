"""What the site's values say about themselves."""

from __future__ import annotations

import pytest

from pvenix.model.site import HealthCheck, HealthKind, VmidPolicy


@pytest.mark.parametrize(("vmid", "allowed"), [(200, True), (499, True), (130, True), (199, False), (500, False)])
def test_a_vm_id_is_allowed_in_the_range_or_when_reserved(vmid: int, allowed: bool) -> None:
    assert VmidPolicy(ranges=((200, 499),), reserve=(130,)).allows(vmid) is allowed


@pytest.mark.parametrize(
    ("check", "title"),
    [
        (HealthCheck(kind=HealthKind.SYSTEMD, unit="sshd.service"), "systemd sshd.service"),
        (HealthCheck(kind=HealthKind.TCP, port=53), "tcp 53"),
        (HealthCheck(kind=HealthKind.COMMAND, argv=("true", "-x")), "command true -x"),
        (HealthCheck(kind=HealthKind.DNS, name="a.internal"), "dns a.internal"),
    ],
)
def test_a_health_check_has_a_title_of_a_few_words(check: HealthCheck, title: str) -> None:
    assert check.title == title
