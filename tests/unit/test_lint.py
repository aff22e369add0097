"""`pvenix lint`: what each rule finds, what looks like it and is fine, and what a comment lets through."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from pvenix.cli.main import cli
from pvenix.fleet.starter import PARTS, starter
from pvenix.lifecycle.lint.files import lint
from pvenix.lifecycle.lint.reading import read_files
from pvenix.model.lint import RULES, Severity

PAGE = Path(__file__).parents[2] / "docs/secrets.md"
RANDOM = "q7Vx2LmN9sKd4RtY8wBz3HfJ"
UUID = "3f2b1c4d-1111-4222-8333-abcdefabcdef"


def codes(path: str, text: str) -> list[str]:
    return [each.found.code for each in lint({path: text})]


def unit(script: str) -> str:
    return "{ pkgs, ... }: {\n  systemd.services.x.preStart = ''\n    set -e\n    " + script + "\n  '';\n}\n"


VARS = "inventory/host_vars/dns01.yaml"


def ignoring(patterns: str) -> str:
    return f"machine:\n  drift:\n    ignore: [{patterns}]\n"


BAD = {
    # secrets by their shape
    "a private key": ("L101", "keys/id", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"),
    "an encrypted key too": ("L101", "a.nix", '{ k = "-----BEGIN ENCRYPTED PRIVATE KEY-----"; }'),
    "an age identity": ("L102", "notes.md", f"AGE-SECRET-KEY-1{'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L' * 2}"),
    "a Proxmox token": ("L103", "playbooks/a.yaml", f"- curl: PVEAPIToken=pvenix@pve!ci={UUID}"),
    "a GitHub token": ("L104", "a.sh", f"git clone https://x:ghp_{'a1B2' * 9}@github.com/a/b".replace("x:", "")),
    "an AWS key": ("L104", "a.yaml", "aws: AKIAIOSFODNN7EXAMPLE"),
    "a Slack webhook": ("L104", "a.nix", '{ u = "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx"; }'),
    "a token in a program's source": ("L104", "a.py", f"T = 'hf_{'a1B2' * 10}'"),
    # secrets by their name
    "a password in Nix": ("L105", "a.nix", '{ services.grafana.settings.security.admin_password = "hunter22x"; }'),
    "a password on the next line": ("L105", "a.nix", '{\n  users.users.a.password =\n    "hunter22x";\n}'),
    "a password in YAML": ("L105", "inventory/group_vars/all.yaml", "db_password: hunter22x\n"),
    "a password in quotes": ("L105", "a.yaml", "db_password: 'correcthorse'\n"),
    "a token in a script": ("L105", "a.sh", f"export API_TOKEN={RANDOM}\n"),
    "a key in JSON": ("L105", "a.json", f'{{"apiKey": "{RANDOM}"}}'),
    "a key in a comment": ("L105", "a.nix", f'# master_key = "{RANDOM}"\n{{ }}'),
    "a random key": ("L106", "a.yaml", f"influx_auth: {RANDOM}\n"),
    "a password in a URL": ("L107", "a.yaml", "url: postgres://app:hunter22@db:5432/x\n"),
    "a placeholder": ("L108", "a.nix", '{ services.litellm.settings.x.api_key = "dummy"; }'),
    "a placeholder in YAML": ("L108", "a.yaml", "api_key: dummy\n"),
    # what is fetched
    "pip at start": ("L201", "a.nix", unit("pip install litellm")),
    "pip in a virtual environment": ("L201", "a.nix", unit("/var/lib/x/venv/bin/pip install --upgrade litellm")),
    "python -m pip": ("L201", "a.nix", unit("${pkgs.python3}/bin/python -m pip install -r requirements.txt")),
    "uv tool": ("L201", "a.nix", unit("uv tool install litellm")),
    "pipx in ExecStart": ("L201", "a.nix", '{ systemd.services.x.serviceConfig.ExecStart = "${pkgs.pipx}/bin/pipx run x"; }'),
    "npm in a wrapped script": ("L201", "a.nix", "{ pkgs }: pkgs.writeShellScript \"x\" ''\n  npm install -g x\n''"),
    "pip in a playbook": ("L201", "playbooks/x.yaml", "- shell: pip3 install x\n"),
    "curl into a shell": ("L202", "a.nix", unit("curl -fsSL https://get.example.org | sudo bash")),
    "a shell from curl": ("L202", "a.sh", 'bash -c "$(curl -fsSL https://x)"\n'),
    "a shell from a process": ("L202", "a.sh", "bash <(curl -s https://x)\n"),
    "fetchTarball": ("L203", "a.nix", 'import (builtins.fetchTarball "https://x/y.tar.gz") { }'),
    "fetchTarball with a URL alone": ("L203", "a.nix", 'builtins.fetchTarball { url = "https://x/y.tar.gz"; }'),
    "fetchurl without a hash": ("L203", "a.nix", '{ pkgs }: pkgs.fetchurl { url = "http://x/y"; }'),
    "fetchGit by branch": ("L203", "a.nix", '{ x = fetchGit { url = "https://x/y"; ref = "main"; }; }'),
    "getFlake by name": ("L203", "a.nix", 'builtins.getFlake "github:NixOS/nixpkgs"'),
    "plain http": ("L204", "a.sh", "curl -o x http://example.org/x\n"),
    "an absolute import": ("L205", "a.nix", "{ imports = [ /etc/nixos/hardware-configuration.nix ]; }"),
    "a channel": ("L205", "a.nix", "import <nixpkgs> { }"),
    "a path at home": ("L205", "a.nix", "{ x = builtins.readFile ~/x; }"),
    # open doors
    "on every address": ("L301", "a.nix", '{ services.x.host = "0.0.0.0"; }'),
    "on every address of v6": ("L301", "a.nix", '{ services.x.settings.bind = "[::]:5000"; }'),
    "by an option": ("L301", "a.nix", '{ systemd.services.x.serviceConfig.ExecStart = "${x}/bin/x --host 0.0.0.0 --port 1"; }'),
    "root by password": ("L302", "a.nix", '{ services.openssh.settings.PermitRootLogin = "yes"; }'),
    "root, nested and forced": ("L302", "a.nix", '{ lib }: { services.openssh = { settings = { PermitRootLogin = lib.mkForce "yes"; }; }; }'),
    "root, by the old name": ("L302", "a.nix", '{ services.openssh.permitRootLogin = "yes"; }'),
    "root in a file of sshd": ("L302", "sshd.conf", "PermitRootLogin yes\n"),
    "passwords": ("L303", "a.nix", "{ services.openssh.settings.PasswordAuthentication = true; }"),
    "passwords under a quoted name": ("L303", "a.nix", '{ services.openssh.settings."PasswordAuthentication" = (true); }'),
    "passwords inside of mkIf": ("L303", "a.nix", "{ lib, x }: { config = lib.mkIf x { services.openssh.settings.PasswordAuthentication = true; }; }"),
    "passwords by cloud-init": ("L303", "user-data.yaml", "ssh_pwauth: true\n"),
    "no firewall": ("L304", "a.nix", "{ lib, ... }: { networking.firewall.enable = lib.mkForce false; }"),
    "no firewall, nested": ("L304", "a.nix", "{ networking = { firewall = { enable = false; }; }; }"),
    "sshd with its defaults": ("L305", "a.nix", "{ services.openssh.enable = true; }"),
    # trust
    "a trusted user": ("L401", "a.nix", '{ nix.settings.trusted-users = [ "root" "tappaas" ]; }'),
    "a trusted group": ("L401", "a.nix", '{ lib, ... }: { nix.settings = { trusted-users = lib.mkForce ([ "@wheel" ] ++ [ ]); }; }'),
    "no signatures": ("L402", "a.nix", "{ nix.settings.require-sigs = false; }"),
    "no sandbox": ("L403", "a.nix", "{ nix.settings.sandbox = false; }"),
    "a relaxed sandbox": ("L403", "a.nix", '{ nix.settings.sandbox = "relaxed"; }'),
    "a raw card": ("L404", "a.yaml", "hostpci0: 0000:01:00.0,pcie=1\n"),
    "QEMU arguments": ("L404", "a.sh", "qm set 100 --args '-cpu host'\n"),
    "host keys unchecked": ("L405", "a.sh", "ssh -o StrictHostKeyChecking=no root@x\n"),
    "host keys thrown away": ("L405", "ssh.conf", "  UserKnownHostsFile /dev/null\n"),
    "a certificate unchecked": ("L405", "a.sh", "curl -sk https://pve:8006/\n"),
    "an agent forwarded": ("L406", "ssh.conf", "ForwardAgent yes\n"),
    # what is no drift
    "a whole tree": ("L501", VARS, ignoring("'*'")),
    "every Nix file": ("L501", VARS, ignoring("'*.nix'")),
    "the directory of everything": ("L501", VARS, ignoring("nix/")),
    "a whole tree for all hosts": ("L501", "inventory/site.yaml", "defaults:\n  drift: {ignore+: ['**']}\n"),
    "a whole tree in the listing": ("L501", "inventory/hosts.yaml", "all: {hosts: {a: {machine: {drift: {ignore: '*'}}}}}\n"),
    "braces": ("L502", VARS, ignoring("'nix/{a,b}'")),
    "a regular expression": ("L502", VARS, ignoring("'^nix/local'")),
    "a pattern twice": ("L502", VARS, ignoring("notes, notes")),
    "a pattern below another": ("L502", VARS, ignoring("nix/local/x.nix, nix/local")),
    # about the comments and the files themselves
    "a comment without a reason": ("L901", "a.yaml", "x: 1  # pvenix-lint: allow L105\n"),
    "a comment with an unknown code": ("L901", "a.yaml", "x: 1  # pvenix-lint: allow L999 because\n"),
    "a comment that allows nothing": ("L901", "a.yaml", "x: 1  # pvenix-lint: allow L105 because\n"),
    "what is no Nix": ("L902", "a.nix", "{ x = ; }"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_belong_into_a_fleet_is_found_under_its_code(name: str) -> None:
    code, path, text = BAD[name]
    assert set(codes(path, text)) == {code}


def test_every_rule_is_broken_by_an_example() -> None:
    of_no_text = {"L903"}
    assert {code for code, _, _ in BAD.values()} | of_no_text == set(RULES)


GOOD = {
    "references": ("a.yaml", "token_secret: {env: PVENIX_PVE_TOKEN}\npassword:\n  file: ~/x\napi_key: os.environ/KEY\n"),
    "other references": ("a.yaml", "password: !vault x\ntoken: ENC[AES256_GCM,data:x1,iv:y]\nsecret: '{{ lookup(1) }}'\n"),
    "paths": ("a.nix", '{ x.passwordFile = "/run/secrets/x"; services.x.secret = "/var/lib/x1.env"; tokenFile = ./a.age; }'),
    "names of secrets": ("a.yaml", "token_id: pvenix@pve!ci\nsecret_name: x123456\npassword_file: /run/x\ntokenizer: llama3-70b\n"),
    "prose": ("README.md", "The token: see below. password = what you like. pip install pvenix\n"),
    "prose in comments": ("a.yaml", "# the secret: read from a file when it is needed\nkey: value\n"),
    "public keys": ("a.nix", '{ users.users.a.openssh.authorizedKeys.keys = [ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH1" ]; publicKey = "ssh-ed25519 AAAA1"; }'),
    "hashes": ("a.nix", f'{{ pkgs }}: pkgs.fetchurl {{ url = "https://x/y"; hash = "sha256-{RANDOM}{RANDOM}="; }}'),
    "a revision": ("a.nix", f'fetchGit {{ url = "https://x/y"; rev = "{"a1" * 20}"; }}'),
    "hashes by inherit": ("a.nix", '{ pkgs, hash }: pkgs.fetchurl { url = "https://x/y"; inherit hash; }'),
    "settings that are right": ("a.nix", '{ services.openssh = { enable = true; settings = { PasswordAuthentication = false; PermitRootLogin = "no"; }; }; }'),
    "root with a key": ("a.nix", '{ services.openssh.settings.PermitRootLogin = "prohibit-password"; }'),
    "root is trusted": ("a.nix", '{ nix.settings.trusted-users = [ "root" ]; }'),
    "open and said so": ("a.nix", '{ services.x.host = "0.0.0.0"; networking.firewall.allowedTCPPorts = [ 80 ]; }'),
    "open by the module": ("a.nix", '{ services.x = { host = "0.0.0.0"; openFirewall = true; }; }'),
    "a route": ("a.nix", '{ x = [ "0.0.0.0/0" "10.0.0.0/8" ]; }'),
    "on this machine": ("a.nix", '{ services.x.host = "127.0.0.1"; }'),
    "another firewall": ("a.nix", "{ services.x.firewall.rules = [ ]; networking.nat.enable = false; }"),
    "pip with hashes": ("a.nix", unit("pip install --require-hashes -r requirements.txt")),
    "pip in a comment": ("a.nix", unit("# pip install x would be wrong")),
    "npm ci": ("a.sh", "npm ci --ignore-scripts\n"),
    "curl to a file": ("a.sh", "curl -fsSL https://x -o y && sha256sum -c y.sha256\n"),
    "curl to jq": ("a.sh", "curl -s https://x | jq .\n"),
    "curl to this machine": ("a.sh", "curl -s http://localhost:8080/health\n"),
    "a mapping": ("a.yaml", "pci:\n  - {mapping: gpu0}\n"),
    "checked": ("a.sh", "ssh -o StrictHostKeyChecking=yes x\n"),
    "relative paths": ("a.nix", '{ modulesPath, ... }: { imports = [ ./x.nix ../y.nix (modulesPath + "/profiles/qemu-guest.nix") ]; }'),
    "a made secret": ("a.nix", unit("printf 'KEY=sk-%s\\n' \"$(openssl rand -hex 24)\" > /var/lib/x")),
    "a flake's lock": ("nix/flake.lock", f'{{"narHash": "sha256-{RANDOM}", "token": "{RANDOM}"}}'),
    "ignored files": (VARS, ignoring("notes, nix/local, 'nix/hosts/dns01-*.nix', 'nix/[ab].nix'")),
    "a drift of somebody else's": (VARS, "drift:\n  ignore: ['*']\n"),
    "ignored in no YAML": (VARS, "machine: {drift: {ignore: ['*'}"),
    "variables in a program": ("a.py", "token = token_of(x1)\npassword: str = given2\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_only_looks_like_it_is_left_alone(name: str) -> None:
    assert lint({GOOD[name][0]: GOOD[name][1]}) == ()


def test_a_finding_says_where_what_why_and_what_to_do_but_never_the_secret() -> None:
    [found] = lint({"nix/a.nix": f'{{\n  services.x = {{\n    db.password = "{RANDOM}";\n  }};\n}}\n'})
    assert found.place == "nix/a.nix:3:5"
    assert found.what == "a password or token in clear: password"
    for text in (found.rule.why, found.rule.hint):
        assert text
    assert RANDOM not in repr(found)


def test_a_finding_inside_of_a_script_is_where_it_stands_in_the_file() -> None:
    [found] = lint({"a.nix": unit("true; pip install x")})
    assert (found.found.line, found.found.column) == (4, 11)


@pytest.mark.parametrize(
    "text",
    [
        "db_password: hunter22x  # pvenix-lint: allow L105 a test database without a network\n",
        "# pvenix-lint: allow L105 a test database\ndb_password: hunter22x\n",
        "url: a://b:hunter22@c  # pvenix-lint: allow L105,L107 never used\npassword: 1\n".replace("L105,", ""),
        "api_key: dummy # pvenix-lint: allow L108, L106 it listens on no network",
    ],
)
def test_a_comment_with_a_reason_lets_a_line_through(text: str) -> None:
    assert set(codes("a.yaml", text)) <= {"L901"}


def test_a_comment_allows_its_own_code_and_line_alone() -> None:
    text = "db_password: hunter22x  # pvenix-lint: allow L106 wrong code\nother_password: hunter22x\n"
    assert [(each.found.line, each.found.code) for each in lint({"a.yaml": text})] == [
        (1, "L105"),
        (1, "L901"),
        (2, "L105"),
    ]


def test_one_file_that_refuses_passwords_speaks_for_the_fleet() -> None:
    files = {"a.nix": "{ services.openssh.enable = true; }"}
    assert [each.found.code for each in lint(files)] == ["L305"]
    files["b.nix"] = "{ services.openssh.settings.PasswordAuthentication = false; }"
    assert lint(files) == ()


def test_a_pattern_that_hides_too_much_is_found_where_it_stands_and_a_comment_lets_it_through() -> None:
    text = "machine:\n  drift:\n    ignore:\n      - notes\n      - nix/*\n"
    [found] = lint({VARS: text})
    assert (found.place, found.what.rpartition(": ")[2]) == (f"{VARS}:5:9", "nix/*")
    allowed = text.replace("nix/*", "nix/*  # pvenix-lint: allow L501 it is a workbench")
    assert lint({VARS: allowed}) == ()


def test_the_starter_fleet_is_clean() -> None:
    root = starter()
    files = read_files(root, None, [root / part for part in PARTS]).texts
    assert len(files) > 30
    assert [f"{each.place} {each.what}" for each in lint(files)] == []


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a=",
        'token="',
        "curl ",
        "pip ",
        "sk-",
        "-----BEGIN ",
        "x@y!",
        "a://b:",
        " ",
        "\n",
        "PermitRootLogin\n",
        "{a=",
        "[",
        "''",
    ],
)
def test_a_hostile_text_takes_no_longer_than_its_length_asks_for(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    began = time.process_time()
    for path in ("a.yaml", "a.sh") if piece in ("{a=", "[", "''") else ("a.yaml", "a.sh", "a.nix"):
        lint({path: text})
    assert time.process_time() - began < 20


@settings(max_examples=60, deadline=None)
@given(st.text("abT=:\"'{}[];./$#\n -0@!", max_size=80))
def test_no_text_makes_it_fail(text: str) -> None:
    for path in ("a.nix", "a.yaml", "a.sh"):
        lint({path: text})


def git(root: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-C", root, "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True, capture_output=True
    )


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/site.yaml").write_text("not: valid\n")
    (tmp_path / "nix").mkdir()
    return tmp_path


def run(fleet: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["--fleet", str(fleet), "lint", *words])
    return result.exit_code, result.output


def test_the_command_ends_with_1_when_something_is_found_and_0_when_not(fleet: Path) -> None:
    assert run(fleet) == (0, "nothing found\n")
    (fleet / "nix/a.nix").write_text("{ nix.settings.sandbox = false; }")
    code, text = run(fleet)
    assert code == 1
    assert text.startswith("nix/a.nix:1:3: error[L403]: builds run without a sandbox: false\n")
    assert text.endswith("1 error, 0 warnings\n")
    assert run(fleet, str(fleet / "inventory"))[0] == 0
    assert run(fleet, str(fleet / "nix/a.nix"))[0] == 1
    assert run(fleet, str(fleet / "none"))[0] == 2


def test_its_document_has_every_field(fleet: Path) -> None:
    (fleet / "nix/a.nix").write_text('{ x = "AKIAIOSFODNN7EXAMPLE"; }')
    document: dict[str, Any] = json.loads(run(fleet, "-o", "json")[1])
    assert (document["schema"], document["errors"], document["warnings"]) == ("pvenix/lint/v1", 1, 0)
    [item] = document["findings"]
    assert {key: item[key] for key in ("file", "line", "column", "code", "severity")} == {
        "file": "nix/a.nix", "line": 1, "column": 8, "code": "L104", "severity": Severity.ERROR,
    }  # fmt: skip
    assert item["what"]
    assert item["why"]
    assert item["hint"]
    assert [json.loads(line)["code"] for line in run(fleet, "-o", "jsonl")[1].splitlines()] == ["L104"]


def test_what_git_ignores_is_not_looked_at_and_what_it_would_take_is(fleet: Path) -> None:
    git(fleet, "init", "--quiet")
    (fleet / ".gitignore").write_text("keys/\n")
    (fleet / "keys").mkdir()
    (fleet / "keys/id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert run(fleet)[0] == 0
    (fleet / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert run(fleet)[0] == 1


def test_links_and_binary_files_are_left_alone(fleet: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "id"
    outside.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (fleet / "link").symlink_to(outside)
    (fleet / "binary").write_bytes(b"\0-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert run(fleet)[0] == 0


@pytest.mark.skipif(not PAGE.exists(), reason="the page is part of the checkout, not of the wheel")
def test_the_page_lists_every_rule() -> None:
    rows = [f"| `{rule.code}` | {rule.severity} | {rule.what} |" for rule in RULES.values()]
    page = PAGE.read_text().splitlines()
    assert [line for line in page if line.startswith("| `L")] == rows


def test_a_file_that_was_not_looked_at_is_never_passed_as_clean(fleet: Path) -> None:
    key = f'{{ services.x.password = "{RANDOM}"; }}'
    (fleet / "nix/large.nix").write_text(" " * (1 << 20) + key)
    (fleet / "nix/wide.nix").write_bytes(key.encode("utf-16"))
    (fleet / "nix/picture.png").write_bytes(b"\x89PNG\0\0")
    (fleet / "nix/link.nix").symlink_to("/etc/passwd")
    code, output = run(fleet)
    assert code == 1
    assert "nix/large.nix:1:1: error[L903]: a file that was not looked at: it is larger than 1 MiB" in output
    assert "nix/wide.nix:1:1: error[L903]: a file that was not looked at: it holds a NUL byte" in output
    assert "2 errors" in output
    code, output = run(fleet, str(fleet / "nix/link.nix"))
    assert (code, "it is a link" in output) == (1, True)
