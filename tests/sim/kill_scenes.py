"""For every verb a site on which it has work to do: what stands there before, on which host, with which arguments.

A verb of `model/verbs.py` without a scene here fails `test_kills.py` and the lane.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from pvenix.model.errors import ExitCode
from pvenix.model.host import Backup, Install, Iso, Snapshot, State
from pvenix.model.plan import ArgValue, Task
from pvenix.model.update import Update
from pvenix.model.verbs import ONBOARDING
from pvenix_lab.site.guest.generations import current_number
from tests.sim.golden import RESIDENTS, STRANGER, Golden
from tests.story.fault_scene import NEW, OLD, OTHER, Scene, undeclared

URL: Final = "https://channels.nixos.org/nixos-25.05/latest-nixos-minimal-x86_64-linux.iso"
SHA: Final = "ab" * 32
FOUND: Final = "precious"
"""The name of the VM that is adopted."""
TEMPLATE: Final = ("place", "clone", "cloudinit", "boot", "template-build", "template-canary", "template-publish")

Args = dict[str, ArgValue]
Prepare = Callable[[Scene, str], Awaitable[Args]]


async def nothing(_site: Scene, _host: str) -> Args:
    """The site is ready as it is, and the verb needs no argument."""
    return {}


@dataclass(frozen=True, kw_only=True)
class KillScene:
    """A verb's scene. `ready` does what has to be done before and returns the verb's arguments."""

    hosts: tuple[str, ...]
    """Seeds take turns with them."""
    ready: Prepare = nothing
    fleet: Callable[[Golden], Golden] = lambda golden: golden
    same_run: tuple[str, ...] = ()
    """Verbs that go before in the same run, whose facts this one needs."""
    again: tuple[str, ...] = ()
    """Kinds of tasks that a resumed run may do anew; why, the scene says."""

    def host(self, seed: int) -> str:
        """The host of a seed."""
        return self.hosts[seed % len(self.hosts)]


async def well(site: Scene, host: str, *verbs: str | Task) -> None:
    """These verbs go well first."""
    done = await site.run(*verbs, hosts=(host,))
    assert done.code is ExitCode.OK, done.why


def after(*verbs: str, **args: ArgValue) -> Prepare:
    """The verbs that come before this one have gone well."""

    async def ready(site: Scene, host: str) -> Args:
        if verbs:
            await well(site, host, *verbs)
        return {**args}

    return ready


def machine(site: Scene, host: str, **fields: object) -> None:
    """Let the inventory say something else of the host from now on."""
    site.sim.change_host(host, **fields)


async def install_from_image(site: Scene, host: str) -> Args:
    machine(site, host, install=Install.ISO, iso=Iso(url=URL, sha256=SHA, storage="local"))
    site.site.cluster.sections["downloads"] = {URL: {"size": 1 << 30, "sha256": SHA}}
    return {}


async def larger(site: Scene, host: str) -> Args:
    old = site.sim.fleet.hosts[host].machine
    machine(site, host, memory_mib=old.memory_mib + 512, cores=old.cores + 1, disk_mib=old.disk_mib + (4 << 10))
    return {"reboot": True}


async def changed(site: Scene, _host: str) -> Args:
    text = site.sim.read(site.sim.main(), "nix/modules/role-base.nix") or b"{ }\n"
    site.sim.change_main("nix/modules/role-base.nix", text.decode() + "# one more line\n")
    return {}


async def two_generations(site: Scene, host: str) -> Args:
    number = current_number(site.guest(host).tree)
    await changed(site, host)
    await well(site, host, "rebuild")
    return {"to": number}


async def four_generations(site: Scene, host: str) -> Args:
    for _ in range(3):
        await changed(site, host)
        await well(site, host, "rebuild")
    return {"keep": 1}


def pinned(*verbs: str) -> Prepare:
    """The first generation is to be pinned, or is, after these verbs."""

    async def ready(site: Scene, host: str) -> Args:
        if verbs:
            await well(site, host, *(Task(verb=verb, args={"number": 1, "reason": "why"}) for verb in verbs))
        return {"number": 1, **({} if verbs else {"reason": "why"})}

    return ready


async def edited(site: Scene, host: str) -> Args:
    tree = site.guest(host).tree
    path = f"/etc/nixos/nix/hosts/{host}.nix"
    tree.put(path, tree.read(path) + b"# by hand\n")
    tree.put("/etc/nixos/nix/notes.nix", "{ }\n")
    return {}


async def litter(site: Scene, host: str) -> Args:
    site.guest(host).tree.put(f"/nix/store/{'0' * 32}-litter/file", "of nobody")
    return {}


async def archived(site: Scene, host: str) -> Args:
    proxmox = dataclasses.replace(site.sim.fleet.hosts[host].machine.proxmox, vmid=0, full=True, onboot=False)
    machine(site, host, state=State.ARCHIVED, update=Update(canary=True), disk_mib=32 << 10, proxmox=proxmox)
    return {}


def named(prepare: Prepare = nothing) -> Prepare:
    """The host's name is typed."""

    async def ready(site: Scene, host: str) -> Args:
        return {**await prepare(site, host), "confirm": host}

    return ready


async def snapshots_to_let_go(site: Scene, host: str) -> Args:
    machine(site, host, snapshot=Snapshot(keep=1))
    await well(site, host, Task(verb="snapshot", args={"name": "first"}))
    return {"name": "second"}


def with_snapshot(argument: str) -> Prepare:
    """There is a snapshot; its name is this argument, and the host's name is typed."""

    async def ready(site: Scene, host: str) -> Args:
        await well(site, host, Task(verb="snapshot", args={"name": "first"}))
        return {argument: "first", "confirm": host}

    return ready


async def elsewhere(site: Scene, host: str) -> Args:
    return {"to": next(name for name in site.site.cluster.nodes if name != site.vm(host).node)}


async def backed_up(site: Scene, host: str) -> Args:
    machine(site, host, backup=Backup(storage="local"))
    return {}


async def an_orphan(site: Scene, host: str) -> Args:
    await well(site, host, "clone", "cloudinit", "boot")
    vmid = site.vm(host).vmid
    others = {name: each for name, each in site.sim.fleet.hosts.items() if name != host}
    site.sim.fleet = dataclasses.replace(site.sim.fleet, hosts=others)
    return {"vmid": vmid, "confirm": str(vmid)}


async def nobody_s(site: Scene, _host: str) -> Args:
    site.rules.strangers.pop(STRANGER, None)
    return {}


def listing(golden: Golden) -> Golden:
    """The same fleet with one more host, whose VM is nobody's so far."""
    pattern = golden.fleet.hosts[OLD]
    proxmox = dataclasses.replace(pattern.machine.proxmox, vmid=STRANGER, protect=False)
    known = dataclasses.replace(pattern.machine, proxmox=proxmox, install=Install.ADOPT)
    hosts = {**golden.fleet.hosts, FOUND: dataclasses.replace(pattern, name=FOUND, machine=known)}
    return dataclasses.replace(golden, fleet=dataclasses.replace(golden.fleet, hosts=hosts))


def onboarded_before(verb: str) -> Prepare:
    """The steps of an onboarding before this one."""
    return after(*ONBOARDING[: ONBOARDING.index(verb)])


def template(verb: str) -> KillScene:
    """A step of a new template, in a run with those before it."""
    return KillScene(hosts=(NEW,), ready=archived, same_run=TEMPLATE[: TEMPLATE.index(verb)])


async def approving(_site: Scene, _host: str) -> Args:
    return {"approve": True}


NEWCOMER: Final = (NEW, OTHER)
SCENES: Final[dict[str, KillScene]] = {
    "place": KillScene(hosts=NEWCOMER),
    "clone": KillScene(hosts=NEWCOMER),
    "create": KillScene(
        hosts=(NEW,), ready=install_from_image, again=("download",)
    ),  # the node replaces the image by itself
    "cloudinit": KillScene(hosts=NEWCOMER, ready=after("clone")),
    "boot": KillScene(hosts=NEWCOMER, ready=after("clone", "cloudinit")),
    "configure": KillScene(hosts=RESIDENTS, ready=larger),
    "hardware": KillScene(hosts=NEWCOMER, ready=onboarded_before("hardware")),
    "register": KillScene(hosts=NEWCOMER, ready=onboarded_before("register")),
    "unregister": KillScene(hosts=NEWCOMER, ready=onboarded_before("review")),
    "review": KillScene(hosts=NEWCOMER, ready=approving, same_run=ONBOARDING[: ONBOARDING.index("review")]),
    "preflight": KillScene(hosts=RESIDENTS, ready=changed),
    "build": KillScene(hosts=RESIDENTS, ready=changed),
    "rebuild": KillScene(hosts=RESIDENTS, ready=changed),
    "rollback": KillScene(hosts=RESIDENTS, ready=two_generations),
    "adopt-edits": KillScene(hosts=RESIDENTS, ready=edited),
    "pin-generation": KillScene(hosts=RESIDENTS, ready=pinned()),
    "unpin-generation": KillScene(hosts=RESIDENTS, ready=pinned("pin-generation")),
    "prune-generations": KillScene(hosts=RESIDENTS, ready=four_generations),
    "collect-garbage": KillScene(hosts=RESIDENTS, ready=litter),
    "template-build": template("template-build"),
    "template-canary": dataclasses.replace(
        template("template-canary"),
        again=(
            "qmclone",
            "qmstart",
            "qmstop",
            "qmdestroy",
        ),  # its clones are proofs: one that was cut short proves nothing
    ),
    "template-publish": template("template-publish"),
    "destroy": KillScene(hosts=NEWCOMER, ready=named(after("clone", "cloudinit", "boot"))),
    "start": KillScene(hosts=RESIDENTS, ready=after("stop")),
    "shutdown": KillScene(hosts=RESIDENTS),
    "stop": KillScene(hosts=RESIDENTS),
    "reboot": KillScene(hosts=RESIDENTS),
    "reset": KillScene(hosts=RESIDENTS),
    "snapshot": KillScene(hosts=RESIDENTS, ready=snapshots_to_let_go),
    "restore": KillScene(hosts=RESIDENTS, ready=with_snapshot("to")),
    "delete-snapshot": KillScene(hosts=RESIDENTS, ready=with_snapshot("name")),
    "migrate": KillScene(hosts=RESIDENTS, ready=elsewhere),
    "adopt": KillScene(hosts=(FOUND,), ready=nobody_s, fleet=listing),
    "remove-orphan": KillScene(hosts=(NEW,), ready=an_orphan, fleet=undeclared),
    "backup": KillScene(hosts=RESIDENTS, ready=backed_up),
    "retire": KillScene(hosts=NEWCOMER, ready=named(after("clone", "cloudinit", "boot"))),
}
"""By verb."""
