"""OpenSSH and git to the fleet's repository, from the operator and from a guest: the lab refuses in the words of the real ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.contract.ssh_server import key_pair, public_line
from tests.real.pairs import Answer, Ask, Pair, difference, first_lines, told, user
from tests.real.reason import why_not
from tests.real.site.world import RealSite
from tests.story.world import StoryLab

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(why_not()), reason=why_not()), pytest.mark.timeout(180)]

GUEST: Final = "ssh -F {config} dns01"
FROM: Final = f"{GUEST} ssh -o BatchMode=yes"
CICD: Final = "10.0.0.30"
"""The CI/CD host in both sites."""
OTHER: Final = "$(git commit-tree -m other $(git rev-parse HEAD^{{tree}}))"
_NEUTRAL: Final = (
    (re.compile(r"ssh://git@[\d.:]+/|ssh://[\d.:]+/"), "ssh://<cicd>/"),
    (re.compile(r"Temporary failure in name resolution"), "Name or service not known"),  # the site has no name server
    (re.compile(r"  remove with:\n.*\n"), ""),  # Debian's own patch of OpenSSH
    (re.compile(r"SHA256:[\w+/]{43}"), "SHA256:<key>"),
)

PAIRS: Final[dict[str, list[Pair]]] = {
    "a guest is logged in to": [
        *user(f"{GUEST} true", f"{GUEST} false", f"{GUEST} no-such-program", "ssh -F {config} nowhere true"),
        *user("ssh -F {config} -l nobody dns01 true", "ssh -F {config} -l git dns01 true", f"{GUEST} cat /root/.ssh/authorized_keys"),
        *user("ssh -F {config} -o UserKnownHostsFile=/dev/null dns01 true", "ssh -F {config} -o IdentityFile={other} -l git dns01 true"),
        *user("ssh -F {config} -o UserKnownHostsFile={changed} tappaas-cicd true", view=first_lines),
    ],
    "a guest logs in to another": [
        *user(f"{FROM} {CICD} true", f"{FROM} -o StrictHostKeyChecking=yes {CICD} true", f"{FROM} no-such-name true"),
        *user(f"{FROM} -o StrictHostKeyChecking=accept-new {CICD} true", f"{FROM} {CICD} true", f"{FROM} -i /nowhere {CICD} true"),
        *user(f"{FROM} -l git {CICD} git-upload-pack /srv/git/x", f"{FROM} -o ConnectTimeout=1 -p 2222 {CICD} true"),
        *user(f"{GUEST} rm .ssh/known_hosts", f"{GUEST} dd of=.ssh/known_hosts status=none <{{one}}"),
        *user(f"{FROM} {CICD} true", f"{FROM} -o StrictHostKeyChecking=accept-new {CICD} true", f"{GUEST} rm .ssh/known_hosts"),
        *user(f"{GUEST} git ls-remote ssh://git@{CICD}/srv/git/tappaas-nixos-config.git"), *user(f"{GUEST} ssh -Z", view=first_lines),
        *user(f"{GUEST} git clone --quiet ssh://git@{CICD}/srv/git/tappaas-nixos-config.git /tmp/no-clone"),
    ],
    "the repository": [
        *user("ssh -F {config} -l git tappaas-cicd", "ssh -F {config} -l git tappaas-cicd true", "git ls-remote origin no-such"),
        *user("ssh -F {config} -l git tappaas-cicd \"git-upload-pack '/etc'\"", "git fetch origin no-such"),
        *user("git fetch --quiet origin", "git clone --quiet $(git remote get-url origin)x /tmp/no-clone"),
        *user("git ls-remote $(git remote get-url origin | sed s,tappaas-nixos-config,other,)", "git archive --remote=origin HEAD"),
        *user("git push origin HEAD:refs/heads/main", f"git push origin {OTHER}:refs/heads/main", view=first_lines),
        *user(f"git push --quiet --force origin {OTHER}:refs/heads/main"),
        *user("git push origin :refs/heads/main", "git push origin HEAD:refs/heads/registration/p", "git push origin :refs/heads/registration/p"),
        *user("git push origin :refs/heads/none"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoryLab]:
    folder = tmp_path_factory.mktemp("lab").resolve()
    lab = StoryLab(folder)
    yield lab
    lab.pvenix("lab", "down", str(lab.lab), cwd=folder)


def asking(world: StoryLab, folder: Path) -> Ask:
    """How the pairs are asked: by a shell in the operator's clone of the fleet."""
    one, changed, other = folder / "one", folder / "changed", folder / "other"
    key = public_line(key_pair(other)).split()
    one.write_text(f"{CICD} {key[0]} {key[1]}\n")
    known = (world.lab / "known_hosts").read_text()
    changed.write_text(re.sub(r"(?m) ssh-ed25519 \S+", f" {key[0]} {key[1]}", known))

    async def ask(pair: Pair) -> Answer:
        words = pair.command.format(config=world.lab / "ssh_config", one=one, changed=changed, other=other)
        done = world.tried("sh", "-c", words, env={"GIT_COMMITTER_DATE": "@1 +0000", "GIT_AUTHOR_DATE": "@1 +0000"})
        out, err = done.out, done.err
        for pattern, name in (*_NEUTRAL, (re.compile(re.escape(str(folder))), "<folder>")):
            out, err = pattern.sub(name, out), pattern.sub(name, err)
        return Answer(status=done.code, out=out, err=re.sub(r"\b[0-9a-f]{40}\b", "<commit>", err))

    return ask


SLOW: Final = ("a guest is logged in to", "a guest logs in to another")
"""Each command is a log-in through another."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in PAIRS]
)
async def test_ssh_and_git_refuse_in_the_lab_as_on_real_guests(
    shared_site: RealSite, lab: StoryLab, tmp_path: Path, name: str
) -> None:
    for world in ("real", "lab"):
        (tmp_path / world).mkdir()
    with shared_site.network():
        real = await told(asking(shared_site, tmp_path / "real"), PAIRS[name])
    if text := difference(real, await told(asking(lab, tmp_path / "lab"), PAIRS[name])):
        pytest.fail(text, pytrace=False)
