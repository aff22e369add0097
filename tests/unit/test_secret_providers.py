"""Where secrets come from: the words of each program as it gets them, and what a person is told when there is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from pvenix import detached
from pvenix.adapters.secrets import resolve, where
from pvenix.engine.runfiles import RunDir
from pvenix.fleet.secret_refs import FORMS, secret_ref
from pvenix.model.errors import PvenixError, Refused, UsageError
from pvenix.model.secret import KNOWN, MASK, Secret
from pvenix.model.secretref import AgeFile, KeyringEntry, SecretRef, SopsValue, VaultField

VALUE = "hunter22-hunter22"
Program = Callable[..., Path]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a program on PATH, which becomes nothing else; it writes down how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(name: str, *, out: str = f"{VALUE}\n", err: str = "", code: int = 0, seconds: int = 0) -> Path:
        seen = tmp_path / f"{name}.json"
        file = folder / name
        file.write_text(
            f"#!{sys.executable}\nimport json, os, sys, time\n"
            f"told = {{'argv': sys.argv[1:], 'env': dict(os.environ), 'stdin': sys.stdin.read()}}\n"
            f"json.dump(told, open({str(seen)!r}, 'w'))\n"
            f"sys.stdout.write({out!r}); sys.stderr.write({err!r}); sys.stdout.flush(); time.sleep({seconds})\n"
            f"sys.exit({code})\n"
        )
        file.chmod(0o755)
        return seen

    return make


def private(path: Path, text: str = VALUE) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def failure(reference: SecretRef) -> PvenixError:
    with pytest.raises(PvenixError) as caught:
        resolve(reference, purpose="the token's secret")
    for part in (caught.value.what, caught.value.hint, caught.value.code):
        assert part
    return caught.value


REFERENCES = {
    "sops": (SecretRef(sops=SopsValue(file=Path("/fleet/s.yaml"), key="proxmox.token")),
             ["--decrypt", "--extract", '["proxmox"]["token"]', "/fleet/s.yaml"]),
    "vault": (SecretRef(vault=VaultField(path="secret/pvenix", field="token")),
              ["kv", "get", "-field=token", "secret/pvenix"]),
    "keyring": (SecretRef(keyring=KeyringEntry(service="pvenix", user="ci")), ["get", "pvenix", "ci"]),
    "pass": (SecretRef(command=("pass", "show", "pve; $HOME")), ["show", "pve; $HOME"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFERENCES)
def test_a_program_gets_these_words_and_no_shell_reads_them(name: str, program: Program) -> None:
    reference, argv = REFERENCES[name]
    seen = program(name)
    assert resolve(reference, purpose="it").reveal() == VALUE
    told = json.loads(seen.read_text())
    assert (told["argv"], told["stdin"]) == (argv, "")


def test_age_gets_an_identity_that_nobody_else_can_read(program: Program, tmp_path: Path) -> None:
    seen = program("age")
    identity, file = private(tmp_path / "id.txt"), tmp_path / "token.age"
    reference = SecretRef(age=AgeFile(file=file, identity=identity))
    assert resolve(reference, purpose="it").reveal() == VALUE
    assert json.loads(seen.read_text())["argv"] == ["--decrypt", "--identity", str(identity), str(file)]
    identity.chmod(0o644)
    assert failure(reference).code == "PVX0303"


def test_the_whole_of_a_sops_file_is_taken_without_a_key(program: Program) -> None:
    seen = program("sops")
    resolve(SecretRef(sops=SopsValue(file=Path("/a.txt"))), purpose="it")
    assert json.loads(seen.read_text())["argv"] == ["--decrypt", "/a.txt"]


@pytest.mark.parametrize("name", REFERENCES)
def test_a_program_that_is_not_there_is_named(name: str, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)  # as where the package is not installed
    error = failure(REFERENCES[name][0])
    assert (error.code, error.why) == ("PVX0305", f"there is no program {name} on PATH")


@pytest.mark.parametrize("name", ["sops", "vault"])
def test_the_last_words_of_a_known_program_are_shown(name: str, program: Program) -> None:
    program(name, out="", err="one\ntwo\nthree\nno key could decrypt\x1b[2J\n", code=3)
    error = failure(REFERENCES[name][0])
    assert (error.code, error.why) == ("PVX0304", "exit status 3; two; three; no key could decrypt")


def test_the_words_of_an_unknown_program_are_not_shown(program: Program) -> None:
    program("pass", out=VALUE, err=f"+ echo {VALUE}\n", code=1)
    error = failure(REFERENCES["pass"][0])
    assert error.why == "exit status 1"
    assert VALUE not in f"{error!r}{error.__cause__!r}{error.__context__!r}"


def test_a_program_that_does_not_end_leaves_nothing_of_what_it_printed(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pvenix.adapters.secrets._COMMAND_TIMEOUT_S", 0.5)
    program("pass", seconds=60)
    error = failure(REFERENCES["pass"][0])
    assert "no end after" in error.why
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_program_does_not_inherit_a_secret_that_is_known(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PVENIX_PVE_TOKEN", VALUE)
    monkeypatch.setenv("VAULT_ADDR", "https://vault:8200")
    seen = program("vault", out="another")
    resolve(SecretRef(env="PVENIX_PVE_TOKEN"), purpose="it")
    resolve(REFERENCES["vault"][0], purpose="it")
    told = json.loads(seen.read_text())
    assert told["env"]["VAULT_ADDR"] == "https://vault:8200"
    assert VALUE not in json.dumps(told)


def test_the_variable_of_a_secret_leaves_the_environment_but_for_another_pvenix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PVENIX_PVE_TOKEN", VALUE)
    reference = SecretRef(env="PVENIX_PVE_TOKEN")
    assert resolve(reference, purpose="it").reveal() == VALUE
    assert "PVENIX_PVE_TOKEN" not in os.environ
    assert "PVENIX_PVE_TOKEN" not in KNOWN.environment()
    assert KNOWN.environment(whole=True)["PVENIX_PVE_TOKEN"] == VALUE
    assert resolve(reference, purpose="it").reveal() == VALUE
    monkeypatch.setenv("PVENIX_PVE_TOKEN", "another")
    assert resolve(reference, purpose="it").reveal() == "another"


def test_a_run_in_a_process_of_its_own_still_finds_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teller = tmp_path / "python"
    teller.write_text('#!/bin/sh\necho "$PVENIX_PVE_TOKEN" > variable\necho "$@" > words\n')
    teller.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(teller))
    monkeypatch.setenv("PVENIX_PVE_TOKEN", VALUE)
    resolve(SecretRef(env="PVENIX_PVE_TOKEN"), purpose="it")
    detached.execute_detached(RunDir(tmp_path), tmp_path, resume=False)
    assert detached._started.pop().wait(timeout=30) == 0
    assert (tmp_path / "variable").read_text() == f"{VALUE}\n"
    assert VALUE not in (tmp_path / "words").read_text()


def test_a_keyring_without_a_desktop_session_says_what_to_use_instead(program: Program) -> None:
    program("keyring", out="", err="keyring.errors.NoKeyringError: No recommended backend was available.\n", code=1)
    error = failure(REFERENCES["keyring"][0])
    assert error.code == "PVX0306"
    assert "credential" in error.hint


class NoKeyringError(RuntimeError):
    """As the package's own."""


@pytest.mark.parametrize(
    ("gives", "code"), [(VALUE, ""), (None, "PVX0307"), (NoKeyringError("No recommended backend"), "PVX0306"),
                        (RuntimeError("locked"), "PVX0304")]
)  # fmt: skip
def test_keyrings_package_serves_where_its_program_is_missing(
    gives: str | Exception | None, code: str, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_password(service: str, user: str) -> str | None:
        assert (service, user) == ("pvenix", "ci")
        if isinstance(gives, Exception):
            raise gives
        return gives

    package = types.ModuleType("keyring")
    vars(package)["get_password"] = get_password
    monkeypatch.setitem(sys.modules, "keyring", package)
    if code:
        assert failure(REFERENCES["keyring"][0]).code == code
    else:
        assert resolve(REFERENCES["keyring"][0], purpose="it").reveal() == VALUE


def test_a_credential_of_systemd_is_read_from_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = SecretRef(credential="pve-token")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert failure(reference).code == "PVX0301"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert failure(reference).code == "PVX0302"
    (tmp_path / "pve-token").write_text(f"{VALUE}\n")
    assert resolve(reference, purpose="it").reveal() == VALUE


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o644])
def test_a_file_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    file = private(tmp_path / "token")
    file.chmod(mode)
    assert failure(SecretRef(file=file)).code == "PVX0303"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = private(tmp_path / "token")
    os.chown(file, 12345, -1)
    error = failure(SecretRef(file=file))
    assert isinstance(error, Refused)
    assert error.code == "PVX0308"
    assert "12345" in error.why


def test_a_file_that_is_missing_empty_or_no_text_is_told_apart(tmp_path: Path) -> None:
    assert failure(SecretRef(file=tmp_path / "none")).why.endswith("No such file or directory")
    assert failure(SecretRef(file=private(tmp_path / "empty", "\n"))).code == "PVX0307"
    binary = private(tmp_path / "binary")
    binary.write_bytes(b"\xff\xfehunter22")
    error = failure(SecretRef(file=binary))
    assert error.why.endswith("is not text in UTF-8")
    assert "hunter22" not in repr(error.__cause__)


@pytest.mark.parametrize("reference", [reference for reference, _ in REFERENCES.values()])
def test_where_a_secret_is_looked_for_can_be_said_without_it(reference: SecretRef) -> None:
    assert where(reference)


def test_a_resolved_secret_is_masked_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", VALUE)
    assert KNOWN.clean(VALUE) == VALUE
    assert isinstance(resolve(SecretRef(env="TOKEN"), purpose="it"), Secret)
    assert KNOWN.clean(VALUE) == MASK


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ({"env": "TOKEN"}, SecretRef(env="TOKEN")),
        ({"file": "keys/token"}, SecretRef(file=Path("/fleet/keys/token"))),
        ({"command": ["pass", "x"]}, SecretRef(command=("pass", "x"))),
        ({"credential": "pve-token"}, SecretRef(credential="pve-token")),
        ({"keyring": {"service": "a b", "user": "c@d"}}, SecretRef(keyring=KeyringEntry(service="a b", user="c@d"))),
        ({"sops": {"file": "s.yaml"}}, SecretRef(sops=SopsValue(file=Path("/fleet/s.yaml")))),
        ({"sops": {"file": "s.yaml", "key": "a.b"}}, SecretRef(sops=SopsValue(file=Path("/fleet/s.yaml"), key="a.b"))),
        ({"age": {"file": "t.age", "identity": "/id"}},
         SecretRef(age=AgeFile(file=Path("/fleet/t.age"), identity=Path("/id")))),
        ({"vault": {"path": "secret/a", "field": "b"}}, SecretRef(vault=VaultField(path="secret/a", field="b"))),
    ],
)  # fmt: skip
def test_a_reference_is_a_map_of_one_key(value: dict[str, object], meant: SecretRef) -> None:
    assert secret_ref(value, lambda where: Path("/fleet") / str(where)) == meant


@pytest.mark.parametrize(
    "value",
    [
        {}, {"env": "A", "file": "b"}, {"env": "A B"}, {"command": []}, {"command": "pass show"}, {"command": [""]},
        {"credential": "../../etc/shadow"}, {"credential": ".."}, {"credential": "a/b"}, {"credential": ""},
        {"keyring": {"service": "-h", "user": "a"}}, {"keyring": {"service": "a"}}, {"keyring": "a"},
        {"sops": {"file": "a", "key": 'a"] | ["b'}}, {"sops": {"key": "a"}}, {"sops": "a"},
        {"age": {"file": "a"}}, {"age": {"identity": "a"}}, {"vault": {"path": "-address=x", "field": "a"}},
        {"vault": {"path": "a", "field": ""}}, {"vault": {"path": "a\nb", "field": "c"}}, {"bitwarden": "x"},
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused_with_the_forms_that_there_are(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        secret_ref(value, lambda where: Path("/fleet") / str(where))
    assert any(form in str(caught.value) for form in FORMS.values())


@pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed")
def test_the_real_age_opens_what_it_closed(tmp_path: Path) -> None:
    identity, file = tmp_path / "id.txt", tmp_path / "token.age"
    subprocess.run(["age-keygen", "-o", identity], check=True, capture_output=True)
    key = next(line.split()[-1] for line in identity.read_text().splitlines() if "public key" in line)
    subprocess.run(["age", "-r", key, "-o", file], input=f"{VALUE}\n".encode(), check=True, capture_output=True)
    identity.chmod(0o600)
    reference = SecretRef(age=AgeFile(file=file, identity=identity))
    assert resolve(reference, purpose="it").reveal() == VALUE
    file.write_bytes(b"age-encryption.org/v1\nnonsense")
    error = failure(reference)
    assert isinstance(error, UsageError)
    assert error.why.startswith("exit status 1; age: error:")
