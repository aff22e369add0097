"""A canary in the place of each secret is found nowhere afterwards: no file, no output, no argument, no environment."""

from __future__ import annotations

import base64
import json
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.story.world import StoryLab

pytestmark = [pytest.mark.story, pytest.mark.slow, pytest.mark.timeout(300)]

NEW = "tappaas-litellm"
GUEST_SECRET = 'gu3st canary "with" %s & \\ $HOME'
SECOND_LINE = "kanarienvogel-2b7d1e"
BUG = """
import sys
from pvenix.adapters.pve import proxmox
from pvenix.cli.main import main

def bug(self, method, path, params):
    raise RuntimeError(f"cannot send {dict(self.sender.headers)}")

proxmox._Client.request = bug
sys.exit(main())
"""


def spellings(secret: str) -> list[bytes]:
    """What to look for: written here once more, so that a form which the filter forgets is found."""
    raw = secret.encode()
    plain = [secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], shlex.quote(secret), repr(secret)]
    coded = [base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"=")]
    coded += [base64.b64encode(b"\0" * offset + raw)[4:-4] for offset in (1, 2)]
    return [*(text.encode() for text in plain), *coded, raw.hex().encode(), raw[::-1]]


def hits(data: bytes, secrets: dict[str, str]) -> list[str]:
    return [name for name, secret in secrets.items() if any(spelling in data for spelling in spellings(secret))]


@dataclass
class Watch:
    """What processes showed while it watched."""

    home: str
    secrets: dict[str, str]
    seen: set[str] = field(default_factory=set)
    commands: set[str] = field(default_factory=set)

    @contextmanager
    def watching(self) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, over: threading.Event) -> None:
        while not over.is_set():
            for folder in Path("/proc").iterdir():
                if folder.name.isdigit():
                    self._look(folder)
            over.wait(0.01)

    def _look(self, process: Path) -> None:
        try:
            environment = (process / "environ").read_bytes()
            if self.home.encode() not in environment:
                return
            argv = (process / "cmdline").read_bytes()
        except OSError:
            return  # it has ended
        words = argv.replace(b"\0", b" ").decode(errors="replace")
        ours = "-m pvenix" in words  # it is told the secret by this very variable
        lab = "pvenix_lab" in words or "pvenix lab" in words
        if lab:
            return
        self.commands.add(words.split(" ")[0].rpartition("/")[2])
        for name in hits(argv, self.secrets):
            self.seen.add(f"{name} is an argument: {words[:80]}")
        for name in [] if ours else hits(environment, self.secrets):
            self.seen.add(f"{name} is in the environment of {words[:80]}")


def with_login(lab: StoryLab, reference: str) -> None:
    """Name the token's secret in another way."""
    site = lab.fleet / "inventory/site.yaml"
    lines = site.read_text().splitlines(keepends=True)
    [at] = [number for number, line in enumerate(lines) if "token_secret:" in line]
    before = lines[at].partition("token_secret:")[0]
    lines[at] = f"{before}token_secret: {reference}" + ("}\n" if lines[at].rstrip().endswith("}}") else "\n")
    site.write_text("".join(lines))


def a_day(lab: StoryLab, run: Callable[..., int], token: str) -> None:
    """Onboard, rebuild, fail to rebuild and look, while guests print the token in three spellings."""
    said = f"token={token} header={base64.b64encode(f'user:{token}'.encode()).decode()} url={quote(token)}"
    assert run("validate") == 0
    assert run("status", "-o", "json") == 0
    assert run("plan", "--out", str(lab.fleet / "plan.json"), "-l", NEW) in (0, 3)
    lab.fault("hostile-output", NEW, text=said)
    assert run("run", "playbooks/onboard.yaml", "-l", NEW, "-vv") in (0, 3)
    lab.commit("nix/common.nix", "[ pkgs.git ]", "[\n    pkgs.git\n    pkgs.htop\n  ]")
    lab.fault("hostile-output", "dns01", text=said, command="fetch --quiet")
    assert run("rebuild", "dns01", "-vv") == 0
    lab.commit("nix/common.nix", "pkgs.htop", "pkgs.tree")
    lab.fault("hostile-output", "dns01", text=said, command="nix build")  # whose output is JSON
    assert run("rebuild", "dns01", "-vv", "-o", "jsonl") != 0
    with_login(lab, "{env: PVENIX_PVE_TOKEN}")
    lab.env["PVENIX_PVE_TOKEN"] = token
    lab.fault("hostile-output", "docker01", text=said, command="fetch --quiet")
    assert run("rebuild", "docker01", "-vv") == 0
    assert run("status") in (0, 3)


@pytest.fixture(scope="module")
def story(lab: StoryLab, tmp_path_factory: pytest.TempPathFactory) -> tuple[StoryLab, dict[str, str], Watch, list[str]]:
    """Everything that a person does in a day, with a canary for each secret; what was printed, and what processes showed."""
    token = str(lab.data["pve"]["token_secret"])
    key = tmp_path_factory.mktemp("secrets") / "guest"
    key.write_text(f"{GUEST_SECRET}\n{SECOND_LINE}\n")
    key.chmod(0o600)
    secrets = {"the token": token, "the guest's secret": GUEST_SECRET, "its second line": SECOND_LINE}
    watch = Watch(home=str(lab.folder / "home"), secrets=secrets)
    printed = []

    def run(*words: str) -> int:
        with watch.watching():
            done = lab.pvenix(*words)
        printed.append(done.text)
        sys.stdout.write(f"{done.text}\n")  # what a failed assertion shows
        return done.code

    variables = lab.fleet / f"inventory/host_vars/{NEW}.yaml"
    text = variables.read_text() if variables.exists() else "machine:\n"
    reference = f"  secrets: {{master_key: {{file: {key}}}}}\n"
    variables.write_text(text.replace("machine:\n", f"machine:\n{reference}", 1))
    token_file = Path(lab.data["pve"]["token_secret_file"])
    with_login(lab, f"{{command: [cat, {token_file}]}}")
    a_day(lab, run, token)
    bug = lab.folder / "bug.py"
    bug.write_text(BUG)
    for words in (("status", "--debug"), ("rebuild", "docker01", "--debug"), ("doctor", "--debug", "-o", "json")):
        done = lab.tried(sys.executable, str(bug), *words)
        printed.append(done.text)
    assert any("RuntimeError" in text and "cannot send" in text for text in printed)
    return lab, secrets, watch, printed


Story = tuple[StoryLab, dict[str, str], Watch, list[str]]


def test_the_guests_said_the_secret_and_it_is_masked_in_every_output(story: Story) -> None:
    _, secrets, _, printed = story
    assert sum("token=**** " in text for text in printed) >= 2, "nobody said it, so nothing was proven"
    assert [hits(text.encode(), secrets) for text in printed] == [[] for _ in printed]


def test_no_file_of_home_fleet_run_or_crash_has_a_secret(story: Story) -> None:
    lab, secrets, _, _ = story
    files = [file for root in (lab.folder / "home", lab.fleet) for file in root.rglob("*") if file.is_file()]
    names = {file.name for file in files}
    assert {"journal.sqlite", "events.jsonl", "plan.json", "dns01.log"} <= names
    assert any("crashes" in file.parts for file in files)
    assert any(b"token=****" in file.read_bytes() for file in files)
    assert {str(file): found for file in files if (found := hits(file.read_bytes(), secrets))} == {}


def test_no_process_had_a_secret_among_its_arguments_or_inherited_it(story: Story) -> None:
    _, _, watch, _ = story
    assert {"git", "ssh"} & watch.commands, "no child was seen, so nothing was proven"
    assert watch.seen == set()


def test_the_watch_and_the_search_would_have_seen_one(story: Story) -> None:
    lab, secrets, _, _ = story
    watch = Watch(home=str(lab.folder / "home"), secrets=secrets)
    with watch.watching():
        env = {"LEAK": secrets["its second line"]}
        lab.tried("sleep", "0.3", env=env)
        lab.tried("sh", "-c", f"sleep 0.3; : {secrets['the token']}")
    assert {line.split(" is ")[0] for line in watch.seen} == {"the token", "its second line"}
    assert hits(base64.b64encode(f"x:{secrets['the token']}:y".encode()), secrets) == ["the token"]
