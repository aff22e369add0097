"""systemctl, systemd-run and journalctl on a container's systemd and on the lab's: the same states, refusals and journals."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Final

import pytest

from pvenix.lifecycle import argv, generations
from pvenix.lifecycle.activation import words
from pvenix.lifecycle.facts import kernels
from pvenix.lifecycle.remote import as_text
from tests.real.lab_side import lab_side
from tests.real.pairs import Answer, Ask, Pair, difference, held, root, told
from tests.real.reason import why_not
from tests.real.site.world import RealSite

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(why_not()), reason=why_not()), pytest.mark.timeout(180)]

HOST: Final = "web-07"
STATE: Final = "systemctl show -p LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus"
RUN: Final = "systemd-run --unit"
SAID: Final = "journalctl -o cat -u"
_NEUTRAL: Final = (
    (re.compile(r"; invocation ID: [0-9a-f]{32}"), ""),  # since systemd 253
    (re.compile(r"runtime: [0-9.]+[mu]?s"), "runtime: <n>"),
    (re.compile(r"\w{3} \d\d \d\d:\d\d:\d\d [\w-]+ (\w+)\[\d+\]"), r"<date> <host> \1[<n>]"),
    (re.compile(r"(?m)^(-- cursor: s=)[0-9a-f;=a-z]+$"), r"\1<cursor>"),
    (re.compile(r"Unknown command verb '([\w-]+)'"), r"Unknown command verb \1"),  # quoted since systemd 255
)


def heads(answer: Answer) -> object:
    """systemctl status: the sign and the name, what is loaded, the state; processes and presets go by the machine."""
    kept = [line for line in answer.out.splitlines() if re.match(r"[●○×]|     (?:Loaded|Active)|  Transient", line)]  # noqa: RUF001
    return answer.status, [re.sub(r" since .*|; preset: \w+", "", line) for line in kept], answer.err


def listed(answer: Answer) -> object:
    """list-units: its rows; the legend is written differently since systemd 255."""
    return answer.status, [line for line in answer.out.splitlines() if ".service" in line], answer.err


def record(answer: Answer) -> object:
    """A record in JSON: the fields by which pvenix reads the journal."""
    found = json.loads(answer.out)
    kept = ("MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "UNIT", "_SYSTEMD_UNIT")
    timed = all(str(found[key]).isdigit() for key in ("__REALTIME_TIMESTAMP", "__MONOTONIC_TIMESTAMP", "_PID"))
    cursor = re.fullmatch(
        r"s=[0-9a-f]+;i=[0-9a-f]+;b=[0-9a-f]{32};m=[0-9a-f]+;t=[0-9a-f]+;x=[0-9a-f]+", found["__CURSOR"]
    )
    return answer.status, {key: found.get(key) for key in kept}, timed, cursor is not None


def default(answer: Answer) -> object:
    """Which kind of entry systemd-boot starts."""
    return answer.status, re.findall(r"(?m)^default +nixos-generation-\d+\.conf$", answer.out) != [], answer.err


def entries(answer: Answer) -> object:
    """The names of the entries: each host has another number of them."""
    return answer.status, set(re.sub(r"\d+", "<n>", answer.out).split()), answer.err


PAIRS: Final[dict[str, list[Pair]]] = {
    "absent units": [
        *root(f"{STATE} p-none", "systemctl show -p NoSuchProperty p-none", "systemctl is-failed p-none", "systemctl status p-none"),
        *root("systemctl is-active p-none sshd", "systemctl show -p ActiveState -p LoadState sshd p-none", "systemctl cat p-none"),
        *root("systemctl is-active p-none", view=lambda answer: answer.out),  # 3 in systemd 252, 4 later
        *root("systemctl is-enabled p-none", view=lambda answer: bool(answer.status)),  # 1 in systemd 252, 4 and a word later
        *root("systemctl start p-none", "systemctl stop p-none", "systemctl restart p-none", "systemctl reload p-none"),
        *root("systemctl try-restart p-none", "systemctl reload-or-restart p-none", "systemctl reset-failed p-none"),
        *root("systemctl kill p-none", "systemctl enable p-none", "systemctl disable p-none"),
    ],
    "what is looked at before a build, and after it": [
        *root(as_text(words.INHIBITORS), "systemd-inhibit --list --no-pager", "systemd-inhibit --no-such"),
        *root(as_text(words.port_answers(1)), as_text(words.port_answers(22))), *root(as_text(words.LOCKS), view=held),
        *root(as_text(generations.LOADER), view=default), *root(as_text(generations.LOADED), view=entries),
        *root(as_text(kernels(argv.PROFILE)), view=lambda answer: (answer.status, len(answer.out.splitlines()), answer.err)),
    ],
    "loaded units and wrong use": [
        *root("systemctl show -p LoadState,ActiveState,SubState,Result,UnitFileState,FragmentPath,Id,Names,Transient sshd"),
        *root("systemctl show --value -p ActiveState sshd", "systemctl show -P ActiveState sshd", "systemctl is-active sshd"),
        *root("systemctl is-active -q sshd", "systemctl is-enabled sshd", "systemctl is-failed sshd", "systemctl start sshd"),
        *root("systemctl is-system-running", "systemctl list-units --failed --plain --no-legend"),
        *root("systemctl list-units --failed", view=listed), *root("systemctl is-active", "systemctl start", "systemctl stop"),
        *root("systemctl no-such-verb", "systemctl --no-such", "journalctl --no-such", "systemd-run --no-such true"),
    ],
    "a unit that fails": [
        *root(f"{RUN}=p-bad sh -c 'exit 3'", f"{STATE} p-bad", "systemctl is-active p-bad", "systemctl is-failed p-bad"),
        *root("systemctl is-enabled p-bad", "systemctl list-units --failed --plain --no-legend", "systemctl is-system-running"),
        *root("systemctl status p-bad", view=heads), *root("systemctl list-units --failed", view=listed),
        *root(f"{RUN}=p-bad true", "systemctl start p-bad", "systemctl stop p-bad", "systemctl is-failed p-bad"),
        *root("systemctl reset-failed p-bad", f"{STATE} p-bad", "systemctl stop p-bad", f"{SAID} p-bad"),
        *root("systemctl is-system-running"),
    ],
    "a unit that runs": [
        *root(f"{RUN}=p-run sleep 30", f"{RUN}=p-run sleep 30", "systemctl is-active p-run", "systemctl is-enabled p-run"),
        *root("systemctl show -p Type,Restart,NRestarts,Result,FragmentPath,UnitFileState,Transient,Description,ConditionResult p-run"),
        *root("systemctl status p-run", view=heads), *root("systemctl start p-run", "systemctl reload p-run"),
        *root("systemctl list-units --plain --no-legend p-run.service", "systemctl stop p-run", f"{STATE} p-run", f"{SAID} p-run"),
    ],
    "units that end": [
        *root(f"{RUN}=p-ok --quiet --wait true", f"{STATE} p-ok", f"{RUN}=p-stay --remain-after-exit --service-type=oneshot true"),
        *root(f"{STATE} p-stay", f"{RUN}=p-stay true", "systemctl stop p-stay", f"{STATE} p-stay", f"{SAID} p-stay"),
        *root(f"{RUN}=p-gone --collect --wait --quiet false", f"{STATE} p-gone", f"{RUN}=p-wait --wait sh -c 'exit 5'"),
        *root(f"{STATE} p-wait", f"{RUN}=p-wait --wait true", "systemctl reset-failed p-wait", f"{SAID} p-wait"),
        *root(f"{RUN}=p-well --wait true", f"{RUN}=p-pipe --pipe --wait --quiet --collect sh -c 'echo out; echo err >&2; exit 2'"),
        *root(f"{RUN}=p-one --service-type=oneshot sh -c 'exit 7'", "systemctl reset-failed p-one"),
        *root(f"{RUN}=p-one --service-type=oneshot true", f"{STATE} p-one", f"{SAID} p-one"),
    ],
    "settings of a unit": [
        *root(f"{RUN}=p-x no-such-program", f"{RUN}=p-x /no/such/program", f"{STATE} p-x", f"{RUN}=p-x"),
        *root(f"{RUN}=p-x --service-type=nonsense true", f"{RUN}=p-x -p NoSuch=1 true", f"{RUN}=p-x -p TimeoutStopSec=nonsense true"),
        *root(f"{RUN}=p-x -p Nonsense true", f"{RUN}=p-x -p StandardOutput=nonsense true", f"{RUN}=p-x -p Type=nonsense true"),
        *root(f"{RUN}=p-x -p RemainAfterExit=maybe true", f"{RUN}=p-if --quiet -p ConditionPathExists=/nowhere true"),
        *root(f"{STATE} p-if", "systemctl show -p ConditionResult p-if", f"{SAID} p-if"),
        *root(f"{RUN}=p-pre --quiet -p ExecStartPre=false true", f"{STATE} p-pre", "systemctl reset-failed p-pre", f"{SAID} p-pre"),
        *root(f"{RUN}=p-even --quiet -p ExecStartPre=-false --remain-after-exit --service-type=oneshot true", f"{STATE} p-even"),
        *root("systemctl stop p-even"),
        *root(f"{RUN}=p-log --quiet --wait -p StandardOutput=append:/tmp/p-log -p StandardError=append:/tmp/p-log "
              "sh -c 'echo out; echo err >&2'", "cat /tmp/p-log", "rm /tmp/p-log"),
    ],
    "the journal": [
        *root(f"{RUN}=p-said --quiet --wait sh -c 'sleep 0.1; echo one; echo two >&2'", "sleep 0.3", f"{SAID} p-said", f"{SAID} p-said -n 2"),
        *root("journalctl -u p-said -o json -n 1", view=record), *root("journalctl -u p-said -n 3", "journalctl -u p-said -n 0"),
        *root("journalctl -u p-nowhere", "journalctl -u p-nowhere -o json", "journalctl -u p-nowhere -q", f"{SAID} p-nowhere", "journalctl -u p-nowhere -o export", f"{SAID} p-said -b"),
        *root("journalctl -u p-said -b -500", "journalctl -u p-said --after-cursor nonsense", "journalctl -u p-said --since nonsense"),
        *root("journalctl -o nonsense", "journalctl nonsense", "journalctl -u p-said -p nonsense", f"{SAID} p-said -r -n 2"),
        *root(f"{SAID} p-said --show-cursor -n 1", f"{SAID} p-said -p err", f"{SAID} p-said -g two"),
    ],
    "sshd stops and starts": [
        *root("systemctl stop sshd", f"{STATE} sshd", "systemctl is-active sshd", "systemctl is-failed sshd"),
        *root("systemctl start sshd", "systemctl is-active sshd", "systemctl restart sshd", "systemctl is-active sshd"),
        *root("systemctl try-restart sshd", "systemctl is-active sshd"),
    ],
}  # fmt: skip


def neutral(text: str) -> str:
    """A text without what differs by nature."""
    for pattern, name in _NEUTRAL:
        text = pattern.sub(name, text)
    return text


def on_a_container(site: RealSite) -> Ask:
    """A container's systemd, asked at its console: its sshd is stopped, too."""

    async def ask(pair: Pair) -> Answer:
        done = site.console(HOST, *pair.words, check=False)
        return Answer(status=done.code, out=neutral(done.out), err=neutral(done.err))

    return ask


async def in_the_lab(folder: Path, pairs: list[Pair]) -> list[str]:
    """What the lab's guest answers."""
    async with lab_side(folder) as side:

        async def ask(pair: Pair) -> Answer:
            async with asyncio.timeout(20):
                done = await side.session.run(pair.words, sudo=True)
            return Answer(status=done.exit_status, out=neutral(done.stdout), err=neutral(done.stderr))

        return await told(ask, pairs)


@pytest.mark.parametrize("name", PAIRS)
async def test_systemd_answers_in_the_lab_as_in_a_container(site: RealSite, tmp_path: Path, name: str) -> None:
    real = await told(on_a_container(site), PAIRS[name])
    if text := difference(real, await in_the_lab(tmp_path, PAIRS[name])):
        pytest.fail(text, pytrace=False)
