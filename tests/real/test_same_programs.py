"""Nix, git and coreutils, asked for what is usual, unusual and wrong: the lab's answer is that of the real program."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from pvenix.lifecycle import argv, generations
from pvenix.lifecycle.activation import words
from pvenix.lifecycle.remote import as_text
from tests.real.lab_side import lab_side
from tests.real.lane import Image, Lane
from tests.real.pairs import (
    Answer,
    Ask,
    Pair,
    difference,
    first_lines,
    held,
    keys_of,
    lines,
    numbers,
    root,
    shape,
    status,
    told,
    user,
)
from tests.real.reason import why_not
from tests.real.side import Prepared, Side, prepare, real_side

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(why_not()), reason=why_not())]

NOWHERE: Final = "/nix/store/00000000000000000000000000000000-nowhere"
PROFILES: Final = "/nix/var/nix/profiles"
PINS: Final = "/var/lib/pvenix/pins"
ENV: Final = "nix-env -p /nix/var/nix/profiles/system"
FLAKE: Final = "git+file:///etc/nixos?dir=nix"
HOSTS: Final = f"{FLAKE}#nixosConfigurations"
GIT: Final = "git -C /etc/nixos"
_NEUTRAL: Final = (
    (re.compile(r"saves -?0\.00 MiB"), "saves 0.00 MiB"),  # the folder of links has no size on a tmpfs
    (re.compile(r"\x1b\[[\d;]*m"), ""),  # Nix 2.8 prints colours without a terminal, later ones do not
    (re.compile(r"/proc/\d+/\w+ -> .*\n"), ""),  # what processes of the host have in their environment
    (re.compile(r"rev=[0-9a-f]{40}"), "rev=<commit>"),
    (re.compile(r"/sed[0-9A-Za-z]{6}:"), "/sed<new>:"),
)


def systems(answer: Answer) -> object:
    """Which of the known systems are named: the two stores hold other packages."""
    return answer.status, sorted(re.findall(r"\{system\d\}", answer.out)), answer.err


def own_host(answer: Answer) -> object:
    """What is said of dns01: the two fleets have other hosts beside it, and the lab's a template."""
    said = [
        line for line in answer.err.splitlines() if "'nixos" not in line or "dns01" in line or line.endswith("ns'...")
    ]
    return answer.status, '"dns01":{"type":"nixos-configuration"}' in answer.out, said


def metadata(answer: Answer) -> object:
    """The keys of a flake's metadata; what it locks is another file in each fleet."""
    known = keys_of(answer.out)
    return answer.status, {key: one for key, one in known.items() if key != "locks"}


def collected(answer: Answer) -> object:
    """What a collection says, without the packages that the two stores do not share and their sizes."""
    said = [line for line in answer.err.splitlines() if not line.startswith("deleting '<store path>")]
    links = [line for line in said if line.startswith(("removing stale link", "deleting '"))]
    return answer.status, [line for line in said if line not in links], sorted(links), answer.out.partition(" ")[2][:19]


def uptime(answer: Answer) -> object:
    """procps: what is parsed of it is the form of the load."""
    return answer.status, bool(
        re.fullmatch(r" [\d:]+ up .+,  \d+ users?,  load average: \d+\.\d\d, \d+\.\d\d, \d+\.\d\d\n", answer.out)
    )


def moment(answer: Answer) -> object:
    """A time as find prints it: seconds with ten places."""
    return answer.status, bool(re.fullmatch(r"\d+\.\d{10}\n", answer.out))


def columns(answer: Answer) -> object:
    """A table by its headings, and that the numbers stand under their ends."""
    heading, *rows = answer.out.splitlines()
    return (
        answer.status,
        heading.split(),
        [len(row.split()) for row in rows],
        {len(row) == len(heading) for row in rows},
    )


PAIRS: Final[dict[str, list[Pair]]] = {
    "the store asked": [
        *root("nix-store -qR {system0}", f"nix-store -qR {NOWHERE}", "nix-store -q {system0}", "nix-store -q --outputs {system0}"),
        *root("nix-store -q --references {system1}", "nix-store -q --roots {system0}", "nix-store -q --roots {system2}", view=lines),
        *root("nix-store -q --deriver {system1}", f"nix-store -q --deriver {NOWHERE}"),
        *root("nix-store -q --size {system0}", view=numbers),
        *root("nix-store --verify", "nix-store --verify --check-contents", "nix-store --verify-path {system0}"),
        *root(f"nix-store --verify-path {NOWHERE}", "nix-store --check-validity {system0}", f"nix-store --check-validity {NOWHERE}"),
        *root("nix-store", "nix-store --no-such", "nix-store --gc --no-such", "nix-store -q --no-such {system0}"),
        *root("nix-store -r {system0}", "nix-store -r {system0} --add-root /tmp/kept", f"nix-store -r {NOWHERE}"),
        *root("nix-store --gc --print-roots", view=lines), *root("rm /tmp/kept"), *root("nix-store --gc --print-dead", view=systems),
        *root("nix-store --gc --print-live", view=systems), *root("nix-store --delete {system0}", "nix store delete {system0}"),
        *root(f"nix store delete {NOWHERE}", "nix store delete", "nix store verify {system0}", f"nix store verify {NOWHERE}x", view=first_lines),
        *root("nix why-depends {system0} {system1}", "nix why-depends {system0}", "nix store diff-closures {system0}"),
        *root("nix store diff-closures", "nix flake", "nix store", "nix", "nix no-such", "nix --no-such", "nix store no-such"),
        *root("nix flake no-such", "nix flake show --no-such", "nix build --no-such", "nix eval --no-such"),
    ],
    "paths": [
        *root("nix path-info {system0}", "nix path-info -r {system0}", f"nix path-info {NOWHERE}", "nix path-info /etc/passwd"),
        *root("nix path-info", "nix path-info --no-such {system0}"),
        *root("nix path-info --json {system1}", "nix path-info --json -S {system1}", f"nix path-info --json {NOWHERE}", view=shape),
        *root("nix path-info -S {system0}", "nix path-info -s {system0}", view=numbers),
        *root("nix build --json --no-link {system0}", "nix build --no-link {system0} {system1}"),
        *root("nix build --out-link /tmp/two {system0} {system1}"), *root("readlink /tmp/two /tmp/two-1", view=lines),
    ],
    "a flake": [
        *root(f"nix flake show --json {FLAKE}", view=own_host), *root(f"nix flake metadata --json {FLAKE}", view=metadata),
        *root("nix flake show /nowhere", "nix flake metadata --json /nowhere"),
        *root(f"nix eval --json {HOSTS} --apply builtins.attrNames", f"nix eval {HOSTS} --apply builtins.attrNames", view=status),
        *root(f"nix eval --raw {HOSTS} --apply builtins.attrNames", f"nix eval --json {HOSTS}.gone.config.system.build.toplevel"),
        *root(f"nix eval --json {HOSTS}.dns01.config.networking.hostName", f"nix eval {HOSTS}.dns01.config.networking.hostName"),
        *root(f"nix eval --raw {HOSTS}.dns01.config.networking.hostName", "nix eval"),
        *root(f"nix eval --raw {HOSTS}.dns01.config.system.build.toplevel.drvPath"),
    ],
    "generations": [
        *root("nix-env --no-such", "nix-env", ENV, "nix-env -p", f"{ENV} --set", f"{ENV} --set {{system0}} {{system1}}"),
        *root(f"{ENV} --set /etc", f"{ENV} --switch-generation", f"{ENV} --switch-generation x", f"{ENV} --switch-generation 0"),
        *root(f"{ENV} --list-generations x", f"{ENV} --list-generations --no-such", f"{ENV} --delete-generations"),
        *root(f"{ENV} --delete-generations x", f"{ENV} --delete-generations 1", f"{ENV} --delete-generations +0"),
        *root(f"{ENV} --delete-generations +5", f"{ENV} --delete-generations 1d", f"{ENV} --rollback x", f"{ENV} --rollback"),
        *root("nix-env -p /nix/var/nix/profiles/none --list-generations", "nix-env -p /nix/var/nix/profiles/none --rollback"),
        *root(f"{ENV} --set {{system1}}", f"{ENV} --set {{system2}}", f"{ENV} --delete-generations +1", f"{ENV} --list-generations"),
        *root(f"{ENV} --set {{system0}}", f"{ENV} --set {{system1}}", f"{ENV} --switch-generation 4", f"{ENV} --list-generations"),
        *root("nix-collect-garbage --no-such", "nix-collect-garbage --dry-run", "nix-collect-garbage -d --dry-run"),
        *root(f"{ENV} --list-generations"), *root("nix-collect-garbage -d", view=collected),
        *root(f"{ENV} --list-generations", "test -e {system0}", "test -e {system1}", "test -e {system2}", "nix-store --verify"),
        *root("nix-store --gc", "nix store gc", "nix-store --gc --print-dead", "nix-collect-garbage"),
        *root(f"{ENV} --delete-generations 4", f"{ENV} --rollback", f"{ENV} --set {{system2}}", f"{ENV} --list-generations"),
    ],
    "files": [
        *root("cat /etc/nixos", "cat --no-such", "cat /nowhere /etc/hostname", "tail -c +1 /nowhere", "tail -c x /etc/hostname"),
        *root("tail /etc/hostname", "tail -n 1 /etc/hostname", "tail -c 3 /etc/hostname", "tail -c +3 /etc/hostname"),
        *root("tail -c +1 /etc/nixos", "tail --no-such", "tail -c", "dd of=/nowhere/x status=none", "dd of=/etc status=none"),
        *root("dd of=/tmp/dd nonsense=1", "mv", "mv /tmp/a", "mv -T -n /nowhere /tmp/b", "mv a b c", "mv -T /etc/nixos /nowhere/x"),
        *root("mkdir", "mkdir /tmp/d1", "mkdir /tmp/d1", "mkdir -p /tmp/d1", "mkdir /tmp/x/y", "mkdir -p /tmp/d1/e/f"),
        *root("mkdir -m 700 /tmp/d2", "stat -c %a /tmp/d2", "stat -c %a%U /nowhere", "stat -c %s:%n:%U /etc/nixos/README"),
        *root("stat -c %F /tmp/d2", "stat -c %F /run/current-system", "mkdir --no-such x", "mkdir /etc/nixos/README/x"),
        *root("mkdir -p /etc/nixos/README/x", "mv -T /tmp/d1 /tmp/d2", "mv -T /tmp/d2 /tmp/d1", "ls -1 /tmp/d2", "mv --no-such a b"),
        *root("ls -1 /tmp/d1", "rm /nowhere", "rm", "rm -f", "rm /tmp/d1", "rmdir /tmp/d1", "rm -r /tmp/d1", "rm -rf /nowhere"),
        *root("rm --no-such x", "rm -f /tmp/none /tmp/none2", "rmdir /nowhere", "rmdir /etc/hostname", "touch /tmp/new", "rm /tmp/new"),
        *root("touch /nowhere/x", "touch", "readlink", "readlink /nowhere", "readlink -f /run/current-system/nowhere"),
        *root("readlink -e /nowhere", "readlink -f /nowhere/x /etc/nixos", "readlink --no-such x", "readlink -v /nowhere"),
        *root("readlink -v /etc/nixos", "ls --no-such", "chmod 600 /nowhere", "chmod", "ls /nowhere"),
        *user("cat /root/x", "mkdir /root/x", "mv -T /etc/nixos /tmp/h", "rm /etc/nixos/README", "rm -f /etc/nixos/README"),
        *user("dd of=/etc/nixos/README status=none", "ls /root", "chmod 777 /etc/nixos", "touch /etc/x", "tail -c +1 /root/x"),
        *user("readlink /root/x", "test -e /root/x", "stat -c %a /root/x", "echo -n a", "echo", "sleep", "sleep x", "sleep 0.01s"),
        *user("head -c 2 /etc/hostname", "head -n 1 /etc/hostname", "head -n x /etc/hostname", "head /nowhere"),
        *user("wc -l /etc/nixos/README", "wc -c /nowhere"),
    ],
    "links": [
        *root("ln", "ln --no-such a b", "ln -s a /tmp/link", "ln -s a /tmp/link", "ln -s -f -T 'b c' /tmp/link", "readlink /tmp/link"),
        *root("ln -s a /nowhere/link", "ln -s -f -T a /tmp", "ln -s -f -n d /tmp/link", "readlink /tmp/link", "rm /tmp/link"),
        *root("find /nowhere -maxdepth 0", "find /etc/nixos/README -maxdepth 0", "find /etc -no-such", "find /etc -maxdepth"),
        *root("find /etc -maxdepth x", "find /etc -type q", "find /etc -maxdepth 0 /nowhere", "find /nowhere /run/current-system -type l"),
        *root(r"find /run/current-system -maxdepth 0 -printf '%p\t%y\t%f\t%l\n'", r"find /etc/nixos/README -printf '%s %p 100%%\n'"),
        *root(f"find {PROFILES} {PINS} -maxdepth 1 -type l -printf '%p\\t%l\\n'", f"find {PROFILES} -mindepth 1 -name 'system-?-link'", view=lines),
        *root(f"find {PROFILES} -maxdepth 1 -name system-1-link -printf '%T@\\n'", view=moment),
        *root(f"mkdir -p {PINS}", f"ln -s -f -T 'before the move' {PINS}/1.why", f"nix build --out-link {PINS}/1 {{system0}}"),
        *root(f"find {PINS} -maxdepth 1 -type l -printf '%p %l\\n'", "nix-store -q --roots {system0}", view=lines),
        *root(f"{ENV} --set {{system1}}", f"{ENV} --delete-generations 1", f"rm -f {PINS}/1 {PINS}/1.why", f"find {PINS}"),
        *user("find /root/x", "ln -s a /etc/link", f"find {PINS} -mindepth 1"),
    ],
    "locks and lines": [
        *root("flock", "flock --no-such /tmp true", "flock -w 1", "flock /nowhere/x", "flock -w x /tmp true", "flock -w 1 /nowhere/x true"),
        *root("flock -w 1 /tmp true", "flock -w 1 /tmp false", "flock -w 1 /tmp no-such-program", "flock -w 1 /var/lib/lock true"),
        *root("stat -c %a:%s:%U /var/lib/lock", "flock -w 0 /tmp flock -w 0 /tmp true", "flock -w 0.1 /var/lib/lock flock -w 0.1 /var/lib/lock true"),
        *root("flock -w 0 /tmp flock -w 0 /var/lib/lock id -u", "flock -w 1 /tmp true", "flock /tmp true", "flock -w 1 /tmp cat /nowhere"),
        *user("flock -w 1 /root true", "flock -w 1 /root/lock true", "flock -w 1 /etc/lock true", "flock -w 1 /etc id -u"),
        *root("sed", "sed --no-such", "sed -i", "sed -i -e", view=first_lines), *root("sed -i -e /x/d", "sed -i -e /x/d /nowhere"),
        *root("sed -i -e /x/d /etc/nixos", "sed -i -e /x /etc/nixos/README", r"sed -i -e '\%x' /etc/nixos/README"),
        *root(r"sed -i -e '\%[%d' /etc/nixos/README", "cat /etc/nixos/README", r"sed -i -e '\%no such%d' /etc/nixos/README"),
        *root("cat /etc/nixos/README", r"sed -i -e '\%^[^#].*%d' /etc/nixos/README", "stat -c %a:%s:%U /etc/nixos/README"),
        *user("sed -i -e /x/d /etc/nixos/README", r"sed -i -e '\%x%d' /root/x", "sed -i -e /x/d /nowhere"),
    ],
    "what is looked at before a build, and after it": [
        *root(as_text(words.LEFT)), *root(as_text(words.LOCKS), view=held), *user(as_text(words.TIME), as_text(generations.NOW), view=numbers),
        *root(f"flock -w 1 /tmp {as_text(words.LOCKS)}", f"flock -w 1 /tmp flock -w 1 /etc/nixos {as_text(words.LOCKS)}", view=held),
        *root("mkdir -p /var/lib/pvenix/r1/a", "touch /var/lib/pvenix/r1/a/b", as_text(words.LEFT), view=lines), *root(as_text(words.LOCKS), view=held),
        *root("lslocks --no-such"), *root(as_text(words.BOOT_SPACE), view=columns),
        *root("rm -r -f -- /var/lib/pvenix/r1", as_text(words.LEFT)), *user(as_text(words.name_resolves("127.0.0.1")), view=first_lines),
        *user(as_text(words.name_resolves("localhost")), as_text(words.url_answers("http://127.0.0.1:1/")), view=status),
        *user(as_text(words.name_resolves("no-such-host.invalid"))), *root(as_text(argv.GIT_AT_WORK)),
    ],
    "expressions": [
        *root("test", "test -e", "test -x /nowhere", "test -f /etc/hostname", "test -d /etc/hostname", "test -L /run/current-system"),
        *root("test -s /etc/hostname", "test ! -e /nowhere", "test a", "test a = a", "test a = b", "test a != b", "test -n ''"),
        *root("test -z ''", "test 1 -eq 1", "test 2 -lt 1", "test a -eq 1", "test a b", "test a b c", "test --no-such", "test -r /root/x"),
        *root("test -w /etc/nixos", "test -w /tmp"),
    ],
    "a person": [
        *user("sudo -n no-such-program", "sudo -n false", "sudo -n -u no-such-user id", "sudo -n -- id -u", "sudo -n /nowhere"),
        *user("sudo -n", "sudo -n --no-such true", view=first_lines), *user("sudo -n -u git id -u", "sudo -n sudo -n id -u"),
        *user("env A=1 nosuch", "env -i id -u", "env --no-such", "id -u", "id -un", "id -u root", "id -u no-such-user", "id --no-such"),
        *root("id", "id -u", "id -gn", "id -G"), *user("whoami x", "hostname -s", "uname", "uname -x", "date -u +%Y", "date --no-such"),
        *user("hostname --no-such", view=lambda answer: answer.err.splitlines()[:1]),  # Debian's is another program's
        *user("uptime", view=uptime), *user("uptime -p", view=lambda answer: answer.out.startswith("up ")),
        *user("df --output=avail -B1 /", "df -B1 --output=avail,size /", view=columns), *user("df --output=avail -B1 /nowhere"),
        *user("df --output=nonsense", "df --no-such"), *user("getent passwd no-such", "getent nonsense", "getent group no-such"),
        *user("pwd", "true x"), *user("getent passwd tappaas", view=lambda answer: answer.out.split(":")[:3]),
    ],
    "git": [
        *root("git", "git --no-such", view=lambda answer: (answer.status, answer.err.splitlines()[:1])), *root("git no-such"),
        *root("git -C /nowhere status", f"{GIT} log --no-such", f"{GIT} rev-parse nowhere", f"{GIT} rev-parse --verify nowhere"),
        *root(f"{GIT} rev-parse --verify --quiet nowhere", f"{GIT} rev-parse HEAD~9", f"{GIT} checkout nowhere"),
        *root(f"{GIT} status --no-such", f"{GIT} checkout --no-such", f"{GIT} cat-file -t nowhere", f"{GIT} cat-file -e {'0' * 40}"),
        *root(f"{GIT} merge-base --is-ancestor {{commit0}} {{commit1}}", f"{GIT} merge-base --is-ancestor {{commit1}} {{commit0}}"),
        *root(f"{GIT} merge-base {{commit1}} {{commit0}}", f"{GIT} branch --show-current", f"{GIT} fetch nowhere"),
        *root(f"{GIT} fetch --quiet /tmp/no.bundle", f"{GIT} clone /nowhere /tmp/clone", "git clone --quiet /etc/nixos /tmp/clone"),
        *root("git clone --quiet /etc/nixos /tmp/clone", "git -C /tmp/clone rev-parse HEAD", "git -C /tmp/clone push --quiet"),
        *root(f"{GIT} stash pop", f"{GIT} stash drop", f"{GIT} add /nowhere", f"{GIT} add nowhere", f"{GIT} config --get no.such"),
        *root(f"{GIT} bundle verify /tmp/no.bundle", f"{GIT} remote get-url nowhere", f"{GIT} ls-remote /nowhere"),
        *root(f"{GIT} update-ref refs/heads/x nowhere", f"{GIT} show nowhere", f"{GIT} diff --stat {{commit0}} {{commit1}}"),
        *root(f"{GIT} diff --quiet {{commit0}} {{commit1}}", "git version --no-such"), *root(f"{GIT} commit -m x", view=status),
        *user(f"{GIT} status --porcelain", f"{GIT} rev-parse HEAD", f"{GIT} fetch", f"{GIT} checkout {{commit0}}", "git -C /tmp status"),
    ],
}  # fmt: skip
"""What is asked, on a fresh guest for each table, from top to bottom."""


@pytest.fixture(scope="module")
def prepared(image: Image) -> Prepared:
    folder = image.folder / "programs"
    folder.mkdir()
    return prepare(image, folder)


@pytest.fixture
async def real(lane: Lane, prepared: Prepared) -> Side:
    """The real guest, with the roots that the activation of NixOS makes for what runs."""
    side = await real_side(lane, prepared)
    for name in ("booted-system", "current-system"):
        lane.host.console("ln", "-sfn", f"/run/{name}", f"/nix/var/nix/gcroots/{name}")
    return side


@pytest.fixture
async def simulated(image: Image) -> AsyncIterator[Side]:
    folder = Path(tempfile.mkdtemp(prefix="lab-", dir=image.folder))
    async with lab_side(folder) as side:
        await side.session.run(["rm", "-f", "/tmp/new"], sudo=True)  # the out-link of the last build
        await side.session.run(["nix-store", "--gc", "--print-roots"], sudo=True)  # which forgets it as a root
        yield side
    shutil.rmtree(folder)


def asking(side: Side) -> Ask:
    """How the pairs are asked on a side; its known paths and commits get their names."""

    async def ask(pair: Pair) -> Answer:
        done = await side.session.run([side.filled(word) for word in pair.words], sudo=pair.sudo)
        out, err = (side.neutral(text) for text in (done.stdout, done.stderr))
        for pattern, name in _NEUTRAL:
            out, err = pattern.sub(name, out), pattern.sub(name, err)
        # Nix 2.8 ends its JSON without a newline, later ones with one
        return Answer(status=done.exit_status, out=out.rstrip("\n") if "json" in pair.command else out, err=err)

    return ask


@pytest.mark.parametrize("name", PAIRS)
async def test_a_program_answers_on_the_lab_as_on_a_real_guest(real: Side, simulated: Side, name: str) -> None:
    found = await told(asking(real), PAIRS[name])
    if text := difference(found, await told(asking(simulated), PAIRS[name])):
        pytest.fail(text, pytrace=False)
