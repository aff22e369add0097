"""`pvenix doctor` over sockets: a person's first contact with a cluster, and from its lines to a token that is enough."""

from __future__ import annotations

import json
import shlex
import ssl
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.story.fault_scene import row
from tests.story.world import StoryLab, writes

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def _as_it_was(lab: StoryLab) -> Iterator[None]:
    site = lab.fleet / "inventory/site.yaml"
    before = site.read_text()
    yield
    site.write_text(before)
    lab.ok("lab", "clear", str(lab.lab))


def trust(lab: StoryLab, what: str) -> None:
    """Let the site verify certificates by something else."""
    site = lab.fleet / "inventory/site.yaml"
    lines = [f"    tls: {what}" if line.strip().startswith("tls: ") else line for line in site.read_text().splitlines()]
    site.write_text("\n".join(lines) + "\n")


def examined(lab: StoryLab, *words: str) -> dict[str, Any]:
    """What doctor says, whatever it ends with."""
    done = lab.pvenix("doctor", "-o", "json", *words)
    assert "Traceback" not in done.text
    found: dict[str, Any] = json.loads(done.out)
    return found


def problems(report: dict[str, Any]) -> list[str]:
    return [check["subject"] for check in report["checks"] if check["verdict"] == "problem"]


class Root:
    """root at a node's console: pveum, by plain HTTPS."""

    def __init__(self, lab: StoryLab) -> None:
        self._pve = lab.data["pve"]
        self._tls = ssl.create_default_context(cafile=self._pve["ca"])
        password = Path(self._pve["root_password_file"]).read_text().strip()
        login = self.call("POST", "/access/ticket", username="root@pam", password=password)
        self._headers = {
            "Cookie": f"PVEAuthCookie={login['ticket']}",
            "CSRFPreventionToken": login["CSRFPreventionToken"],
        }

    _headers: dict[str, str] = {}  # noqa: RUF012 - replaced after the log-in

    def call(self, method: str, path: str, /, **params: str) -> Any:
        data = urllib.parse.urlencode(params).encode()
        url = f"{self._pve['endpoint']}/api2/json{path}"
        request = urllib.request.Request(url, data=data, method=method, headers=self._headers)
        with urllib.request.urlopen(request, timeout=20, context=self._tls) as answer:
            return json.load(answer)["data"]

    def paste(self, lines: list[str]) -> str:
        """Run the lines; the secret of the token that they make, if they make one."""
        secret = ""
        for line in lines:
            first, _, second = line.partition(" || ")
            try:
                found = self._run(first)
            except urllib.error.HTTPError:
                found = self._run(second)
            secret = found["value"] if isinstance(found, dict) else secret
        return secret

    def _run(self, line: str) -> Any:
        words = shlex.split(line)
        named = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
        options = {
            key.removeprefix("--"): value for key, value in zip(words[named::2], words[named + 1 :: 2], strict=True)
        }
        match words[1:named]:
            case ["user", "add", user]:
                return self.call("POST", "/access/users", userid=user, **options)
            case ["user", "token", "add", user, token]:
                return self.call("POST", f"/access/users/{user}/token/{token}", **options)
            case ["role", "add", role]:
                return self.call("POST", "/access/roles", roleid=role, **options)
            case ["role", "modify", role]:
                return self.call("PUT", f"/access/roles/{role}", **options)
            case ["acl", "modify", path]:
                return self.call("PUT", "/access/acl", path=path, **options)
        raise AssertionError(line)


@row("F13", "R11")
@pytest.mark.parametrize("tls", ["{system: true}", '{fingerprint: "AA%s"}' % (":00" * 31)])
def test_first_contact_shows_the_certificate_and_sends_nothing(lab: StoryLab, tls: str) -> None:
    trust(lab, tls)
    lab.ok("lab", "reset-counters", str(lab.lab))
    report = examined(lab)
    counters = lab.control()["counters"]
    assert (counters["pve_reads"], writes(counters)) == (0, {})
    shown = lab.data["pve"]["fingerprint"]
    [contact] = [check for check in report["checks"] if check["subject"].startswith("endpoint")]
    assert contact["verdict"] == "problem"
    assert f"it shows SHA-256 {shown}" in contact["advice"]
    assert any("pvenode cert info" in line for line in contact["advice"])
    assert any(f'tls: {{fingerprint: "{shown}"}}' in line for line in contact["advice"])
    changed = any("somebody is in between" in line for line in contact["advice"])
    assert changed == ("fingerprint" in tls)
    assert lab.pvenix("doctor").code == 8


@row("F13")
def test_the_line_that_doctor_prints_is_the_one_that_works(lab: StoryLab) -> None:
    trust(lab, "{system: true}")
    [contact] = [check for check in examined(lab)["checks"] if check["subject"].startswith("endpoint")]
    [line] = [line for line in contact["advice"] if "tls: " in line]
    trust(lab, line.partition("tls: ")[2])
    report = examined(lab)
    assert not [subject for subject in problems(report) if subject.startswith(("endpoint", "login"))]
    assert report["version"].startswith("8.4")


@row("F14")
def test_a_dead_token_is_told_with_the_lines_that_make_another(lab: StoryLab) -> None:
    lab.ok("lab", "fault", str(lab.lab), "F14")
    report = examined(lab)
    assert "login pvenix@pve!lab" in problems(report)
    assert report["pveum"][:2] == ["pveum user add pvenix@pve", "pveum user token add pvenix@pve lab --privsep 1"]
    assert lab.pvenix("doctor").code == 8


@row("F28")
def test_from_doctors_lines_to_a_token_that_onboards_a_host(lab: StoryLab) -> None:
    """Nothing but what is printed: a person, root's console, and the secret that it answers with."""
    site = lab.fleet / "inventory/site.yaml"
    site.write_text(site.read_text().replace("pvenix@pve!lab", "ops@pve!least"))
    lines = lab.ask("doctor", "--lines", "8")["pveum"]
    root = Root(lab)
    secret_file = Path(lab.data["pve"]["token_secret_file"])
    before = secret_file.read_text()
    secret_file.write_text(root.paste(lines))
    try:
        report = examined(lab)
        assert report["ok"], problems(report)
        assert report["missing"] == []
        done = lab.pvenix("run", "playbooks/onboard.yaml", "-l", "tappaas-litellm", "-t", "provision")
        assert done.code == 0, done.text
        role = next(word for word in shlex.split(" ".join(lines)) if word.endswith("-provisioner-template"))
        root.call("PUT", f"/access/roles/{role}", privs="VM.Audit")
        poorer = examined(lab)
        assert [(each["path"], each["privilege"]) for each in poorer["missing"]] == [("/vms/8100", "VM.Clone")]
        refused = lab.ends(8, "clone", "tappaas-vllm")
        assert "it takes VM.Clone on /vms/8100" in refused.text
        root.paste(poorer["pveum"])
        assert examined(lab)["ok"]
    finally:
        secret_file.write_text(before)


def test_keys_that_others_can_read_and_unknown_levels_are_told(lab: StoryLab) -> None:
    key = Path(lab.data["pve"]["token_secret_file"])
    key.chmod(0o644)
    try:
        done = lab.ends(8, "doctor")
        assert f"chmod 600 {key}" in done.out
    finally:
        key.chmod(0o600)
    lab.ends(2, "doctor", "--level", "everything")
