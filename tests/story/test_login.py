"""A person who logs in at a terminal: the password is asked for and not shown, and a login that dies holds the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.story.fault_scene import row
from tests.story.person import AtTerminal
from tests.story.world import StoryLab, until

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def _as_it_was(lab: StoryLab) -> Iterator[None]:
    site = lab.fleet / "inventory/site.yaml"
    before = site.read_text()
    yield
    site.write_text(before)
    lab.ok("lab", "clear", str(lab.lab))


def log_in_as_root(lab: StoryLab) -> str:
    """Let the site log in as a user; returns the password."""
    site = lab.fleet / "inventory/site.yaml"
    lines = site.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.strip().startswith("auth:"))
    inside = len(lines[at]) - len(lines[at].lstrip())
    end = next(
        number for number in range(at + 1, len(lines)) if len(lines[number]) - len(lines[number].lstrip()) <= inside
    )
    site.write_text("\n".join([*lines[:at], f"{' ' * inside}auth: {{username: root@pam}}", *lines[end:]]) + "\n")
    return Path(lab.data["pve"]["root_password_file"]).read_text().strip()


def test_a_password_is_asked_for_at_the_terminal_and_never_shown(lab: StoryLab) -> None:
    password = log_in_as_root(lab)
    person = AtTerminal(lab, "doctor")
    person.sees("password of root@pam: ")
    person.types("mistyped")
    person.sees("password of root@pam: \r\npassword of root@pam: ")
    person.types(password)
    person.ends(0)
    assert "login root@pam: accepted" in person.shown
    assert password not in person.shown
    assert "mistyped" not in person.shown


@row("F14")
def test_without_a_terminal_it_is_said_what_else_there_is(lab: StoryLab) -> None:
    log_in_as_root(lab)
    done = lab.ends(8, "clone", "tappaas-vllm")
    assert "nobody can be asked for the password of root@pam" in done.text
    assert "use an API token" in done.text
    assert "pvenix resume last" in done.text


@row("F14")
def test_a_token_that_dies_in_mid_run_is_asked_for_and_the_run_goes_on(lab: StoryLab) -> None:
    host = "tappaas-litellm"
    lab.ok("lab", "fault", str(lab.lab), "clone-slow", "--arg", "seconds=120")
    person = AtTerminal(lab, "clone", host)
    until(lambda: any(vm.get("lock") == "clone" for vm in lab.site.api("/cluster/resources?type=vm")))
    lab.ok("lab", "fault", str(lab.lab), "F14")
    person.sees("API token pvenix@pve!lab is no longer accepted; its new secret: ")
    lab.release()
    secret = lab.data["pve"]["token_secret"]
    person.types(secret)
    person.ends(0)
    assert secret not in person.shown
    assert lab.site.vm(host)
